"""Stage 5: train the decoder on, with the encoder frozen or held near what it was.

With a frozen encoder the latents stay what they are, so a transformer that was trained on them
keeps working and only the pictures get better. Most of what is decoded is what the transformer
itself made (`training.made`), where there is such; the rest are true latents with noise of a level
of their own. What counts is the object, a tenth of the picture or less, its colour and its edges.
`python -m training.decoder --help`
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import nn

from training import autoencoder as ae
from training import vae as stage
from training import whole
from training.config import SETUPS, SHIPPED
from training.log import LossLog
from training.muon import Optimisers
from training.pairs import Pairs
from training.precision import bf16_pays
from training.stopping import Stopping

DETAIL_WEIGHT = 2.0
"""How much more a pixel of full contrast weighs in the loss than one of a plain area."""
OBJECT_WEIGHT = 4.0
"""How much more a pixel of the object weighs than one of the background."""
COLOUR_WEIGHT = 1.0
"""Weight of the object's mean colour, which a pale limb misses and a shifted one does not."""
EDGE_WEIGHT = 1.0
"""Weight of the differences between neighbours, which a soft edge has wrong on both sides."""
CROP_LATENTS, CROP_RIM = 10, 1
"""Latents of a crop in each direction, and how many at its rim only give what is around."""
SAVE_EVERY_S = 120
"""Seconds between checkpoints."""


class Trainer:
    """One run: decoder, optimisers, pairs, log and checkpoint."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        vae = AutoencoderKLWan.from_pretrained(args.work / args.begin)
        self.vae = ae.channels_last(vae).to(args.device).requires_grad_(False)
        whole.use_fast_norms(self.vae)
        if args.compile:
            whole.use_compiled_blocks(self.vae)
        self.params = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
        if args.encoder:
            self.params += [*vae.encoder.parameters(), *vae.quant_conv.parameters()]
        for p in self.params:
            p.requires_grad_(True)
        self.optimisers = Optimisers(
            [p for p in self.params if p.ndim > 3 and p[0].numel() > 1],
            [p for p in self.params if p.ndim <= 3 or p[0].numel() == 1],
            muon_lr=args.lr,
            adam_lr=args.adam_lr,
        )
        self.average = [p.detach().clone() for p in self.params]
        self._sums: dict[str, float | torch.Tensor] = {}
        self._counted = 0
        self.state = {"step": 0, "elapsed": 0.0}
        self.checkpoint = args.work / f"{args.name}.pt"
        if self.checkpoint.exists():
            self._resume()
        seed = args.seed + self.state["step"]
        self.rng, self.generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self.pairs = Pairs(args.work, self.rng, with_made=not args.encoder)
        shape = (1, -1, 1, 1, 1)
        self.mean = torch.tensor(vae.config.latents_mean, device=args.device).view(shape)
        self.std = torch.tensor(vae.config.latents_std, device=args.device).view(shape)
        columns = ("step", "minutes", "clips", "loss", "l1", "psnr", "object", "colour", "edge")
        columns += ("drift",) if args.encoder else ()
        self.log = LossLog(args.log, columns)

    def _resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.args.device, weights_only=True)
        self.vae.load_state_dict(saved["vae"])
        self.optimisers.load_state_dict(saved["optimisers"])
        self.average, self.state = saved["average"], saved["state"]

    def save(self) -> None:
        """Write the checkpoint, and the autoencoder with the average of its decoders."""
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "vae": self.vae.state_dict(),
                "average": self.average,
                "optimisers": self.optimisers.state_dict(),
                "state": self.state,
            },
            partial,
        )
        partial.rename(self.checkpoint)
        self._swap()
        self.vae.save_pretrained(self.args.work / self.args.name)
        self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        """Put the average into the autoencoder, or take it out again."""
        for p, mean in zip(self.params, self.average, strict=True):
            kept = p.detach().clone()
            p.copy_(mean)
            mean.copy_(kept)

    def run(self) -> bool:
        """Train until the time is up, or until the process is asked to stop: False then."""
        budget, saved_at = self.args.minutes * 60, time.monotonic()
        # The first step of each size compiles, for up to half an hour beside other work: that is no
        # training, and the rates must not fall by it.
        new = {True, False} if self.args.compile else set()
        with Stopping() as stopping:
            while self.state["elapsed"] < budget and not stopping:
                begun, part = time.monotonic(), self.state["elapsed"] / budget
                cropped = part < self.args.crop_share
                self._count(self._step(part, cropped=cropped))
                self.state["step"] += 1
                self.state["elapsed"] += 0.0 if cropped in new else time.monotonic() - begun
                new.discard(cropped)
                if self.state["step"] % self.args.every == 0:
                    self._report()
                    self.pairs.refresh()
                if time.monotonic() - saved_at > SAVE_EVERY_S:
                    self.save()
                    saved_at = time.monotonic()
            self.save()
            return not stopping

    def _count(self, values: dict[str, torch.Tensor]) -> None:
        self._counted += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def _report(self) -> None:
        # Read here only: a card would have to wait for itself at every step.
        means = {name: float(total) / self._counted for name, total in self._sums.items()}
        means["psnr"] = 10 * math.log10(4 / means.pop("l2"))
        minutes = self.state["elapsed"] / 60
        self.log.add(step=self.state["step"], minutes=minutes, clips=len(self.pairs), **means)
        self._sums, self._counted = {}, 0

    def _rate(self, part: float) -> float:
        """Warm up, hold, then fall over the last part."""
        return min(1.0, (self.state["step"] + 1) / 50, max(0.02, (1 - part) / self.args.fall))

    def _draw(self, *, cropped: bool) -> tuple[torch.Tensor, ...]:
        """Latents (B, z, t, h, w), the clips (B, 3, T, H, W) they should show, and their weights.

        Two weights, (B, 1, T, H, W): how much of each pixel is the object, and which pixels count.
        """
        count = self.args.batch * (self.args.crops if cropped else 1)
        z, clips, made = self.pairs.draw(count)
        if not self.args.encoder:
            z = torch.where(made.view(-1, 1, 1, 1, 1), z, self._noisy(z))
        z, x = z.to(self.args.device) * self.std + self.mean, ae.to_tensor(clips)
        x = x.to(self.args.device)
        inside = object_share(x)
        if not cropped:
            return z, x, inside, torch.ones_like(inside)
        parts = [crop_around(*one, self.rng) for one in zip(z, x, inside, strict=True)]
        return tuple(torch.stack(part) for part in zip(*parts, strict=True))

    def _noisy(self, z: torch.Tensor) -> torch.Tensor:
        """Normalised latents with noise, each clip with a level of its own."""
        level = self.args.noise * torch.rand((len(z), 1, 1, 1, 1), generator=self.generator)
        return z + level * torch.randn(z.shape, generator=self.generator)

    def _encode(
        self, x: torch.Tensor, old: torch.Tensor, counted: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The encoder's own latents, with noise, and their mean square distance from the old."""
        z = whole.encode(self.vae, x.contiguous(memory_format=torch.channels_last_3d)).float()
        scale = x.shape[-1] // z.shape[-1]
        drift = ((z - old) / self.std).square() * counted[:, :, :1, ::scale, ::scale]
        noise = self._noisy(torch.zeros(z.shape)).to(z.device)
        return z + noise * self.std, drift.mean()

    def _step(self, part: float, *, cropped: bool) -> dict[str, torch.Tensor]:
        z, x, inside, counted = self._draw(cropped=cropped)
        on, drift = self.args.device, torch.zeros(())
        with torch.autocast(on, torch.bfloat16, enabled=bf16_pays(on)):
            if self.args.encoder:
                z, drift = self._encode(x, z, counted)
            y = whole.decode(self.vae, z.contiguous(memory_format=torch.channels_last_3d))
        error = (y.float() - x) * counted
        weight = 1 + DETAIL_WEIGHT * _detail(x) + OBJECT_WEIGHT * inside
        l1, l2 = (weight * error.abs()).mean(), (weight * error.square()).mean()
        bare = (inside * error).sum((2, 3, 4)) / inside.sum((2, 3, 4)).clamp(min=1)
        colour = bare.abs().mean()
        edge = error.diff(dim=3).abs().mean() + error.diff(dim=4).abs().mean()
        loss = l1 + 2 * l2 + COLOUR_WEIGHT * colour + EDGE_WEIGHT * edge + self.args.near * drift
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, 1.0)
        self.optimisers.step(self._rate(part))
        with torch.no_grad():
            keep = min(self.args.average, (1 + self.state["step"]) / (10 + self.state["step"]))
            torch._foreach_lerp_(self.average, self.params, 1 - keep)
            of_object = (inside * error.abs()).sum() / (3 * inside.sum().clamp(min=1))
            share = counted.mean()
            plain = {"l1": error.abs().mean() / share, "l2": error.square().mean() / share}
        values = plain | {"loss": loss, "object": of_object, "colour": colour, "edge": edge}
        if self.args.encoder:
            values["drift"] = drift
        return {name: value.detach() for name, value in values.items()}


def crop_around(
    z: torch.Tensor, x: torch.Tensor, inside: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, ...]:
    """A part of one clip around a point of its object, all frames long, and what counts of it.

    Latents at the rim of the crop have neighbours in use that they lack here: they only are the
    neighbours of others, unless the crop ends where the frame does.
    """
    size, scale = CROP_LATENTS, x.shape[-1] // z.shape[-1]
    frame = int(rng.integers(inside.shape[1]))
    spots = (inside[0, frame] > 0.5).nonzero()
    spot = spots[int(rng.integers(len(spots)))] if len(spots) else torch.zeros(2)
    highest = z.shape[-1] - size
    shift = rng.integers(-size // 4, size // 4 + 1, size=2)
    top, left = (
        int(np.clip(int(at) // scale - size // 2 + move, 0, highest))
        for at, move in zip(spot, shift, strict=True)
    )
    rows = slice(top * scale, (top + size) * scale)
    columns = slice(left * scale, (left + size) * scale)
    counted, rim = torch.ones_like(inside[:, :, rows, columns]), CROP_RIM * scale
    counted[:, :, : rim if top > 0 else 0] = 0
    counted[:, :, size * scale - (rim if top < highest else 0) :] = 0
    counted[..., : rim if left > 0 else 0] = 0
    counted[..., size * scale - (rim if left < highest else 0) :] = 0
    cropped = (z[:, :, top : top + size, left : left + size], x[:, :, rows, columns])
    return *cropped, inside[:, :, rows, columns] * counted, counted


def object_share(x: torch.Tensor) -> torch.Tensor:
    """How much of each pixel is the object, (B, 1, T, H, W) in 0..1.

    The background is plain and reaches into the corner, and one flat colour is in front of it: the
    distance from the background, as a share of the greatest in the clip, is the share covered.
    """
    distance = (x - x[:, :, :1, :1, :1]).square().sum(1, keepdim=True).sqrt()
    return distance / distance.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-6)


def _detail(x: torch.Tensor) -> torch.Tensor:
    """Contrast around each pixel, 0..1: high on edges and thin limbs, which are few."""
    # Both at once, rows and then columns, which costs a third of a square of 5 x 5.
    both = torch.cat([x, -x], dim=1).flatten(0, 2)
    for kernel, rim in (((1, 5), (0, 2)), ((5, 1), (2, 0))):
        both = nn.functional.max_pool2d(both, kernel, 1, rim)
    highest, below = both.view(x.shape[0], 2, *x.shape[1:]).unbind(1)
    return ((highest + below) / 2).amax(1, keepdim=True)


def main(argv: list[str] | None = None) -> int:
    """Train, or go on training, and write the folder of the autoencoder; 1 if it was stopped."""
    args = _arguments(argv)
    trainer = Trainer(args)
    if not trainer.run():
        return 1
    vae = AutoencoderKLWan.from_pretrained(args.work / args.name).to(args.device)
    quality = stage.held_out_psnr(vae, SETUPS[args.setup], args.measure, args.device)
    print(f"held-out clips {quality:.2f} dB")
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True, help="folder of `vae` and `made`")
    parser.add_argument("--name", default="vae_on", help="folder and checkpoint to write, in WORK")
    parser.add_argument("--log", type=Path, default=Path("training/results/decoder_loss.csv"))
    parser.add_argument("--minutes", type=float, default=15, help="time; sets the schedule")
    parser.add_argument("--batch", type=int, default=2, help="whole clips a step")
    parser.add_argument("--begin", default="vae", help="folder in WORK to begin with")
    parser.add_argument(
        "--encoder",
        action="store_true",
        help="train the encoder too, held near its old latents; encode the cache again afterwards",
    )
    parser.add_argument(
        "--near", type=float, default=0.3, help="weight of the distance from the old latents"
    )
    parser.add_argument("--crops", type=int, default=2, help="crops in place of one whole clip")
    parser.add_argument(
        "--crop-share", type=float, default=0.0, help="share of the time that goes into crops"
    )
    parser.add_argument(
        "--fall", type=float, default=0.4, help="last share of the time, over which rates fall to 0"
    )
    parser.add_argument("--compile", action="store_true", help="a fifth faster on a CPU")
    parser.add_argument("--every", type=int, default=50, help="steps between log lines")
    parser.add_argument("--average", type=float, default=0.99, help="decay of the average")
    parser.add_argument("--noise", type=float, default=0.3, help="most noise on true latents")
    parser.add_argument("--measure", type=int, default=20, help="clips to measure at the end")
    parser.add_argument("--lr", type=float, default=0.006, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
