"""Latents as the transformer makes them, paired with the clips they should show.

`training.decoder` learns from them to draw what it will get in use, which differs from noise:
thin limbs come out pale. A cached clip's latents are covered with noise, and the transformer
takes it off again, with its conditions and guidance. `python -m training.made --help`
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch

from training import text
from training.config import SETUPS, SHIPPED, Setup
from training.precision import bf16_pays
from training.sample import GUIDANCE
from training.transformer import Model, load_frozen, load_shipped
from training.world import render, scenes

IMAGE_GUIDANCE = 1.5
STEPS = 5
MOST_NOISE = (0.6, 0.97)
"""Noise that a clip begins with: at less nothing is left to make, at more it is another clip."""
DROPPED = 0.1
"""Share of the clips that is left out because they became others than they should."""
LATENTS = ("target", "own", "reference")


def main(argv: list[str] | None = None) -> None:
    """Make `--clips` pairs and write them into the folder `made`."""
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(args.seed)
    maker = _Maker(args, generator)
    chosen = _choose(args.work / "cache", args.clips, np.random.default_rng(args.seed))
    latents, clips, begun = [], [], time.monotonic()
    for part in _batches(chosen, args.batch):
        latents.append(maker(part))
        clips += [_truth(note, maker.setup) for note in part]
        print(f"{len(clips)}/{len(chosen)}, {time.monotonic() - begun:.0f} s", flush=True)
    made, targets = torch.cat(latents), torch.cat([note["target"] for note in chosen])
    far = (made - targets).square().mean((1, 2, 3, 4))
    kept = (far <= far.quantile(1 - DROPPED)).numpy()
    folder = args.work / "made"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "made.npy", made.half().numpy()[kept])
    np.save(folder / "target.npy", targets.half().numpy()[kept])
    np.save(folder / "clips.npy", np.stack(clips)[kept])
    print(f"{kept.sum()} pairs, mean square distance {far[kept].mean():.4f}")


class _Maker:
    """Covers targets with noise and lets the transformer take it off."""

    def __init__(self, args: argparse.Namespace, generator: torch.Generator) -> None:
        self.setup, self._generator, self._device = SETUPS[args.setup], generator, args.device
        self._conditions = load_frozen(args.work, self.setup, args.device)
        self._tokenizer = text.build_tokenizer(self.setup)
        empty = self._conditions.control("text_to_video")
        self._model = Model(self.setup, len(self._tokenizer), empty).eval()
        load_shipped(self._model, args.model)
        self._model.to(args.device)

    @torch.no_grad()
    def __call__(self, notes: list[dict]) -> torch.Tensor:
        """Latents (B, z, t, h, w) of clips that all have one task."""
        task, words = notes[0]["task"], [note["words"][0] for note in notes]
        target, own = self._of(notes, "target"), self._of(notes, "own")
        reference = None
        if task == "pose_guidance":
            reference = self._of(notes, "reference")
            target = torch.cat([reference, target], dim=2)
        control = self._conditions.control(task, own, reference).repeat(2, 1, 1, 1, 1)
        ids = text.tokenize(self._tokenizer, [*words, *[""] * len(words)], self.setup)
        ids = ids.to(self._device)
        guidance = IMAGE_GUIDANCE if task == "image_to_video" else GUIDANCE
        low, high = MOST_NOISE
        u = low + (high - low) * torch.rand(len(target), 1, generator=self._generator)
        noise = torch.randn(target.shape, generator=self._generator)
        sigmas = (u * torch.linspace(1, 0, STEPS + 1)).view(len(target), -1, 1, 1, 1, 1)
        sigmas, noise = sigmas.to(self._device), noise.to(self._device)
        z = (1 - sigmas[:, 0]) * target + sigmas[:, 0] * noise
        on = self._device
        for step in range(STEPS):
            s = sigmas[:, step]
            with torch.autocast(on, torch.bfloat16, enabled=bf16_pays(on)):
                timestep = (1000 * s).flatten().repeat(2)
                velocity = self._model(z.repeat(2, 1, 1, 1, 1), timestep, ids, control).float()
            worded, empty = velocity.chunk(2)
            z = z + (sigmas[:, step + 1] - s) * (empty + guidance * (worded - empty))
        return z[:, :, -self.setup.latent_frames :].cpu()

    def _of(self, notes: list[dict], name: str) -> torch.Tensor:
        return torch.cat([note[name] for note in notes]).to(self._device)


def _truth(note: dict, setup: Setup) -> np.ndarray:
    if "clip" in note["arrays"]:
        return note["arrays"]["clip"][note["index"]]
    scene = scenes.Scene.from_dict(note["scene"])
    return render.render_clip(scene, setup.size, setup.frames)


def _choose(folder: Path, count: int, rng: np.random.Generator) -> list[dict]:
    """Cached clips with their latents: most are what is hardest, thin and of no named colour."""
    notes = []
    for path in sorted(folder.glob("*.json")):
        files = {name: path.with_suffix(f".{name}.npy") for name in (*LATENTS, "clip")}
        arrays = {n: np.load(file, mmap_mode="r") for n, file in files.items() if file.exists()}
        conditioned = set(LATENTS) <= set(arrays)
        for index, note in enumerate(json.loads(path.read_text()) if conditioned else ()):
            notes.append(note | {"arrays": arrays, "index": index})
    weights = np.array([_weight(note) for note in notes])
    chosen = rng.choice(len(notes), size=count, replace=False, p=weights / weights.sum())
    result = sorted((notes[i] for i in chosen), key=lambda note: note["task"])
    for note in result:
        for name in LATENTS:
            array = note["arrays"][name][note["index"]]
            note[name] = torch.from_numpy(array[None].astype(np.float32))
    return result


def _batches(notes: list[dict], size: int) -> Iterator[list[dict]]:
    """Batches of one task each, in the order of the notes."""
    for _, group in groupby(notes, key=itemgetter("task")):
        part = list(group)
        for first in range(0, len(part), size):
            yield part[first : first + size]


def _weight(note: dict) -> float:
    scene = note["scene"]
    thin = {scenes.FIGURE: 4.0, "star": 3.0}.get(scene["shape"], 1.0)
    return thin * (1.0 if scene["named_colours"] else 3.0)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True, help="folder of `vae` and `cache`")
    parser.add_argument("--model", type=Path, required=True, help="pipeline folder that makes them")
    parser.add_argument("--clips", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
