"""Stage 3: train text encoder and transformer together by flow matching.

`python -m training.transformer --help`
"""

import argparse
import copy
import math
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import UMT5EncoderModel

from training import autoencoder as ae
from training import network, text, whole
from training.batches import WORDS_ONLY_SHARE, Batches
from training.conditions import Conditions
from training.config import SETUPS, SHIPPED, Setup
from training.log import LossLog
from training.muon import Optimisers
from training.precision import bf16_pays
from training.stopping import Stopping

FIRST_FRAME_WEIGHT = 2.0
REFERENCE_WEIGHT = 0.3


class Model(nn.Module):
    """Text encoder and transformer as one thing to train, average and save."""

    def __init__(self, setup: Setup, vocabulary: int, empty_control: torch.Tensor) -> None:
        super().__init__()
        self.text_encoder = text.build_text_encoder(setup, vocabulary)
        self.transformer = network.build_transformer(setup, empty_control)

    def forward(
        self, x: torch.Tensor, timestep: torch.Tensor, ids: torch.Tensor, control: torch.Tensor
    ) -> torch.Tensor:
        """Predict the velocity from data to noise."""
        return self.transformer(
            hidden_states=x,
            timestep=timestep,
            encoder_hidden_states=text.embed(self.text_encoder, ids),
            control_hidden_states=control,
            return_dict=False,
        )[0]


def draw_sigmas(count: int, shift: float, generator: torch.Generator) -> torch.Tensor:
    """Noise levels in 0..1: half uniform, half around the middle, then shifted as sampled."""
    how = {"generator": generator, "device": generator.device}
    uniform = torch.rand(count, **how)
    middle = torch.sigmoid(torch.randn(count, **how))
    u = torch.where(torch.rand(count, **how) < 0.5, uniform, middle)
    return shift * u / (1 + (shift - 1) * u)


def frame_weights(frames: int, *, pose: bool) -> torch.Tensor:
    """Weight in the loss of each latent frame, 1 on average.

    The first frame is one picture in as many numbers as four others, the weakest of a clip; the
    reference in front of a pose clip only has to be copied.
    """
    weights = torch.ones(frames)
    first = 1 if pose else 0
    weights[first] = FIRST_FRAME_WEIGHT
    weights[:first] = REFERENCE_WEIGHT
    return weights / weights.mean()


def _attention(device: str) -> AbstractContextManager:
    """Plain attention on a CPU: its fused backward takes half of a step for 80 tokens."""
    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()


def load_frozen(work: Path, setup: Setup, device: str) -> Conditions:
    """The trained autoencoder, ready to build conditions with."""
    vae = AutoencoderKLWan.from_pretrained(work / "vae").eval().requires_grad_(False)
    vae = ae.channels_last(vae).to(device)
    whole.use_fast_norms(vae)
    return Conditions(vae, setup, device, home=device)


def load_shipped(model: Model, folder: Path) -> None:
    """Give a model the weights of a pipeline folder, such as the one in the package."""
    parts = {"text_encoder": UMT5EncoderModel, "transformer": WanVACETransformer3DModel}
    for name, kind in parts.items():
        shipped = kind.from_pretrained(folder, subfolder=name, dtype=torch.float32)
        getattr(model, name).load_state_dict(shipped.state_dict())


class Trainer:
    """One run: model, average, optimisers, log and checkpoint."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.setup = args, SETUPS[args.setup]
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        self.conditions = load_frozen(args.work, self.setup, args.device)
        self.tokenizer = text.build_tokenizer(self.setup)
        empty = self.conditions.control("text_to_video")
        self.model = Model(self.setup, len(self.tokenizer), empty).to(args.device)
        network.keep_input_precise(self.model.transformer)
        if args.init_from is not None:
            load_shipped(self.model, args.init_from)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        matrices, others = network.split_parameters(self.model)
        self.optimisers = Optimisers(matrices, others, muon_lr=args.lr, adam_lr=args.adam_lr)
        self.state = {"step": 0, "elapsed": 0.0}
        self.checkpoint = args.work / f"{args.name}.pt"
        if self.checkpoint.exists():
            self._resume()
        if args.compile:
            self.model.transformer.compile(dynamic=False)
        seed = args.seed + self.state["step"]
        self.generator = torch.Generator(args.device).manual_seed(seed)
        self.batches = Batches(
            args.work / "cache", self.conditions, self.tokenizer, seed, args.limit
        )
        self.log = LossLog(args.log, ("step", "minutes", "clips", "loss", "words", "pose"))

    def _resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.args.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimisers.load_state_dict(saved["optimisers"])
        self.state = saved["state"]

    def save(self) -> None:
        """Write the checkpoint and the averaged weights alone."""
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimisers": self.optimisers.state_dict(),
                "state": self.state,
            },
            partial,
        )
        partial.rename(self.checkpoint)

    def run(self) -> bool:
        """Train until the time is up, or until the process is asked to stop: False then."""
        budget, sums, saved_at = self.args.minutes * 60, {}, time.monotonic()
        # The first step with and the first without a reference compile: that is no training time.
        new = {True, False} if self.args.compile else set()
        with Stopping() as stopping:
            while self.state["elapsed"] < budget and not stopping:
                begun = time.monotonic()
                rate = self._rate(self.state["elapsed"] / budget)
                values = self._step(rate)
                for name, value in values.items():
                    total, count = sums.get(name, (0.0, 0))
                    sums[name] = (total + value, count + 1)
                self.state["step"] += 1
                if self.state["step"] % self.args.every == 0:
                    self._report(sums)
                    sums = {}
                    self.batches.refresh()
                took, pose = time.monotonic() - begun, "pose" in values
                self.state["elapsed"] += 0.0 if pose in new else took
                new.discard(pose)
                if time.monotonic() - saved_at > 180:
                    self.save()
                    saved_at = time.monotonic()
            self.save()
            return not stopping

    def _report(self, sums: dict[str, tuple[torch.Tensor, int]]) -> None:
        # Read here only: a card would have to wait for itself at every step.
        means = {name: float(total) / count for name, (total, count) in sums.items()}
        minutes = self.state["elapsed"] / 60
        self.log.add(step=self.state["step"], minutes=minutes, clips=len(self.batches), **means)

    def _rate(self, part: float) -> float:
        """Warm up, hold, then fall linearly over the last 60 %."""
        return min(1.0, (self.state["step"] + 1) / 50, max(0.02, (1 - part) / 0.6))

    def _step(self, rate: float) -> dict[str, torch.Tensor]:
        draw = self.batches.draw_words if self.args.words_only else self.batches.draw
        target, control, ids = draw(self.args.batch)
        pose = target.shape[2] > self.setup.latent_frames
        sigma = draw_sigmas(len(target), self.setup.flow_shift, self.generator)
        least = self.args.least_noise
        sigma = least + (1 - least) * sigma
        noise = torch.randn(target.shape, generator=self.generator, device=target.device)
        s, on = sigma.view(-1, 1, 1, 1, 1), self.args.device
        with torch.autocast(on, torch.bfloat16, enabled=bf16_pays(on)), _attention(on):
            velocity = self.model((1 - s) * target + s * noise, 1000 * sigma, ids, control)
            errors = (velocity.float() - (noise - target)).square().mean((1, 3, 4))
            # Inside, because the backward pass must use the attention of the forward pass.
            (errors * frame_weights(errors.shape[1], pose=pose).to(on)).mean().backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimisers.step(rate)
        self._move_average()
        errors = errors.detach().mean(1)
        loss = errors.mean()
        if pose:
            return {"loss": loss, "pose": loss}
        count = len(target) if self.args.words_only else round(len(target) * WORDS_ONLY_SHARE)
        return {"loss": loss, "words": errors[:count].mean()}

    @torch.no_grad()
    def _move_average(self) -> None:
        keep = min(self.args.average, (1 + self.state["step"]) / (10 + self.state["step"]))
        averages, values = list(self.average.parameters()), list(self.model.parameters())
        torch._foreach_lerp_(averages, values, 1 - keep)


def main(argv: list[str] | None = None) -> int:
    """Train, or go on training; 1 if it was stopped."""
    trainer = Trainer(_arguments(argv))
    count = sum(math.prod(p.shape) for p in trainer.model.parameters())
    print(f"{count / 1e6:.2f} M parameters, {len(trainer.batches)} clips")
    return 0 if trainer.run() else 1


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True, help="folder of `vae` and `cache`")
    parser.add_argument("--name", default="model", help="name of the checkpoint")
    parser.add_argument(
        "--init-from",
        type=Path,
        metavar="FOLDER",
        help="pipeline folder to begin with where there is no checkpoint; its `vae` must be WORK's",
    )
    parser.add_argument("--log", type=Path, default=Path("training/results/transformer_loss.csv"))
    parser.add_argument("--minutes", type=float, default=70, help="training time")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--limit", type=int, default=0, help="use only so many clips: overfit")
    parser.add_argument("--every", type=int, default=50, help="steps between log lines")
    parser.add_argument("--lr", type=float, default=0.02, help="rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--average", type=float, default=0.99, help="decay of the average")
    parser.add_argument(
        "--compile", action="store_true", help="a quarter faster on a CPU, after minutes of waiting"
    )
    parser.add_argument("--words-only", action="store_true", help="learn text to video alone")
    parser.add_argument(
        "--least-noise",
        type=float,
        default=0.0,
        help="train from this level, 0 to 1, up: at the highest it is decided what is where",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
