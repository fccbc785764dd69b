"""Stage 5: train the decoder on, with the encoder frozen.

The latents stay what they are, so a transformer that was trained on them keeps working and
only the pictures get better. Most of what is decoded is what the transformer itself made
(`training.made`); the rest are true latents with noise of a level of their own. What counts is
the object, a tenth of the picture or less, and its colour. `python -m training.decoder --help`
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import nn

from training import autoencoder as ae
from training import vae as stage
from training import whole
from training.config import SETUPS
from training.log import LossLog
from training.muon import Optimisers
from training.precision import bf16_pays

DETAIL_WEIGHT = 2.0
"""How much more a pixel of full contrast weighs in the loss than one of a plain area."""
OBJECT_WEIGHT = 4.0
"""How much more a pixel of the object weighs than one of the background."""
COLOUR_WEIGHT = 1.0
"""Weight of the object's mean colour, which a pale limb misses and a shifted one does not."""
MADE_SHARE = 0.75
"""Share of the clips that are decoded from what the transformer made."""
SAVE_EVERY = 100
"""Steps between checkpoints."""


class Trainer:
    """One run: decoder, optimisers, pairs, log and checkpoint."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        vae = AutoencoderKLWan.from_pretrained(args.work / "vae")
        self.vae = ae.channels_last(vae).to(args.device).requires_grad_(False)
        whole.use_fast_norms(self.vae)
        self.params = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
        for p in self.params:
            p.requires_grad_(True)
        self.optimisers = Optimisers(
            [p for p in self.params if p.ndim > 3 and p[0].numel() > 1],
            [p for p in self.params if p.ndim <= 3 or p[0].numel() == 1],
            muon_lr=args.lr,
            adam_lr=args.adam_lr,
        )
        self.state = {"step": 0, "elapsed": 0.0}
        self.checkpoint = args.work / f"{args.name}.pt"
        if self.checkpoint.exists():
            self._resume()
        seed = args.seed + self.state["step"]
        self.rng, self.generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self.pairs = {
            name: torch.from_numpy(np.load(args.work / "made" / f"{name}.npy", mmap_mode="c"))
            for name in ("made", "target", "clips")
        }
        shape = (1, -1, 1, 1, 1)
        self.mean = torch.tensor(vae.config.latents_mean, device=args.device).view(shape)
        self.std = torch.tensor(vae.config.latents_std, device=args.device).view(shape)
        columns = ("step", "minutes", "loss", "l1", "psnr", "object", "colour")
        self.log = LossLog(args.log, columns)

    def _resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.args.device, weights_only=True)
        self.vae.load_state_dict(saved["vae"])
        self.optimisers.load_state_dict(saved["optimisers"])
        self.state = saved["state"]

    def save(self) -> None:
        """Write the checkpoint, and the autoencoder as it is now."""
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "vae": self.vae.state_dict(),
                "optimisers": self.optimisers.state_dict(),
                "state": self.state,
            },
            partial,
        )
        partial.rename(self.checkpoint)
        self.vae.save_pretrained(self.args.work / self.args.name)

    def run(self) -> None:
        """Train until the time is up."""
        budget, sums, count = self.args.minutes * 60, {}, 0
        while self.state["elapsed"] < budget:
            begun, part = time.monotonic(), self.state["elapsed"] / budget
            for name, value in self._step(stage.rate_at(part, self.state["step"])).items():
                sums[name] = sums.get(name, 0.0) + value
            count += 1
            self.state["step"] += 1
            self.state["elapsed"] += time.monotonic() - begun
            if self.state["step"] % 50 == 0:
                means = {name: float(total) / count for name, total in sums.items()}
                means["psnr"] = 10 * math.log10(4 / means.pop("l2"))
                minutes = self.state["elapsed"] / 60
                self.log.add(step=self.state["step"], minutes=minutes, **means)
                sums, count = {}, 0
            if self.state["step"] % SAVE_EVERY == 0:
                self.save()
        self.save()

    def _draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (B, z, t, h, w) and the clips (B, 3, T, H, W) that they should show."""
        chosen = torch.from_numpy(
            self.rng.integers(0, len(self.pairs["clips"]), size=self.args.batch)
        )
        made, true, clips = (
            self.pairs[name][chosen].to(self.args.device) for name in ("made", "target", "clips")
        )
        count = (len(chosen), 1, 1, 1, 1)
        level = self.args.noise * torch.rand(count, generator=self.generator)
        noise = torch.randn(true.shape, generator=self.generator)
        true = true.float() + (level * noise).to(true.device)
        use = torch.rand(count, generator=self.generator).to(true.device) < MADE_SHARE
        z = torch.where(use, made.float(), true) * self.std + self.mean
        return z, ae.to_tensor(clips)

    def _step(self, rate: float) -> dict[str, torch.Tensor]:
        z, x = self._draw()
        on = self.args.device
        with torch.autocast(on, torch.bfloat16, enabled=bf16_pays(on)):
            y = whole.decode(self.vae, z.contiguous(memory_format=torch.channels_last_3d))
        error, inside = y.float() - x, object_share(x)
        weight = 1 + DETAIL_WEIGHT * _detail(x) + OBJECT_WEIGHT * inside
        l1, l2 = (weight * error.abs()).mean(), (weight * error.square()).mean()
        bare = (inside * error).sum((2, 3, 4)) / inside.sum((2, 3, 4)).clamp(min=1)
        colour = bare.abs().mean()
        loss = l1 + 2 * l2 + COLOUR_WEIGHT * colour
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, 1.0)
        self.optimisers.step(rate)
        with torch.no_grad():
            of_object = (inside * error.abs()).sum() / (3 * inside.sum())
            plain = {"l1": error.abs().mean(), "l2": error.square().mean()}
        values = plain | {"loss": loss, "object": of_object, "colour": colour}
        return {name: value.detach() for name, value in values.items()}


def object_share(x: torch.Tensor) -> torch.Tensor:
    """How much of each pixel is the object, (B, 1, T, H, W) in 0..1.

    The background is plain and reaches into the corner, and one flat colour is in front of it: the
    distance from the background, as a share of the greatest in the clip, is the share covered.
    """
    distance = (x - x[:, :, :1, :1, :1]).square().sum(1, keepdim=True).sqrt()
    return distance / distance.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-6)


def _detail(x: torch.Tensor) -> torch.Tensor:
    """Contrast around each pixel, 0..1: high on edges and thin limbs, which are few."""
    surround = (x.flatten(0, 1), (1, 5, 5), 1, (0, 2, 2))
    highest = nn.functional.max_pool3d(*surround)
    lowest = -nn.functional.max_pool3d(-surround[0], *surround[1:])
    return ((highest - lowest) / 2).view_as(x).amax(1, keepdim=True)


def main(argv: list[str] | None = None) -> None:
    """Train, or go on training, and write the folder of the autoencoder."""
    args = _arguments(argv)
    trainer = Trainer(args)
    trainer.run()
    quality = stage.held_out_psnr(trainer.vae, SETUPS[args.setup], args.measure, args.device)
    print(f"held-out clips {quality:.2f} dB")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default="small")
    parser.add_argument("--work", type=Path, required=True, help="folder of `vae` and `made`")
    parser.add_argument("--name", default="vae_on", help="folder and checkpoint to write, in WORK")
    parser.add_argument("--log", type=Path, default=Path("training/results/decoder_loss.csv"))
    parser.add_argument("--minutes", type=float, default=15, help="time; sets the schedule")
    parser.add_argument("--batch", type=int, default=2, help="whole clips a step")
    parser.add_argument("--noise", type=float, default=0.3, help="most noise on true latents")
    parser.add_argument("--measure", type=int, default=20, help="clips to measure at the end")
    parser.add_argument("--lr", type=float, default=0.006, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
