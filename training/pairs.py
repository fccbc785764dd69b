"""Latents with the clips that they should show, for training the decoder."""

import json
from pathlib import Path

import numpy as np
import torch

from training.world import scenes

MADE_SHARE = 0.75
"""Share of the clips that are decoded from what the transformer made, where there are such."""
HARD = {scenes.FIGURE: 3.0, "star": 2.0, "triangle": 1.5}
"""Weights of thin and pointed shapes, which are decoded worst."""
HARD_SPIN, HARD_FREE_COLOURS = 2.0, 1.5


def weight_of(scene: dict) -> float:
    """How often a clip is drawn, beside one that is easy."""
    weight = HARD.get(scene["shape"], 1.0)
    weight *= HARD_SPIN if scene["motion"] == "spin" else 1.0
    return weight * (1.0 if scene["named_colours"] else HARD_FREE_COLOURS)


class Pairs:
    """Draws (latents, clip) from `cache` (with its clips) and from `made`; both may grow.

    Args:
        work: Folder of `cache` and `made`.
        rng: Of all draws.
        with_made: False leaves out what the transformer made.
    """

    def __init__(self, work: Path, rng: np.random.Generator, *, with_made: bool = True) -> None:
        self._work, self._rng, self._with_made = work, rng, with_made
        self._true: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._seen: set[str] = set()
        self._weights = np.empty(0)
        self._made: dict[str, torch.Tensor] = {}
        self.refresh()

    def __len__(self) -> int:
        return len(self._weights) + len(self._made.get("clips", ()))

    def refresh(self) -> None:
        """Take in what was written since."""
        files = {path.stem: path for path in (self._work / "cache").glob("*.json")}
        for stem in sorted(set(files) - self._seen):
            self._seen.add(stem)
            clips = files[stem].with_suffix(".clip.npy")
            if clips.exists():
                self._true.append((_map(files[stem].with_suffix(".target.npy")), _map(clips)))
                notes = json.loads(files[stem].read_text())
                weights = np.array([weight_of(note["scene"]) for note in notes])
                self._weights = np.concatenate([self._weights, weights])
        folder = self._work / "made"
        if self._with_made and not self._made and (folder / "clips.npy").exists():
            self._made = {n: _map(folder / f"{n}.npy") for n in ("made", "target", "clips")}
        ends = np.cumsum([len(clips) for _, clips in self._true])
        self._ends, self._cumulated = ends, np.cumsum(self._weights)

    def draw(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalised latents (B, z, t, h, w), uint8 clips (B, T, H, W, 3), and which were made."""
        drawn = [self._one() for _ in range(size)]
        latents, clips, made = zip(*drawn, strict=True)
        return torch.stack(latents), torch.stack(clips), torch.tensor(made)

    def _one(self) -> tuple[torch.Tensor, torch.Tensor, bool]:
        if self._made and (not self._true or self._rng.uniform() < MADE_SHARE):
            index = int(self._rng.integers(len(self._made["clips"])))
            return self._made["made"][index].float(), self._made["clips"][index], True
        at = self._rng.uniform() * self._cumulated[-1]
        index = min(int(np.searchsorted(self._cumulated, at)), len(self._weights) - 1)
        shard = int(np.searchsorted(self._ends, index, side="right"))
        latents, clips = self._true[shard]
        index -= int(self._ends[shard]) - len(clips)
        return latents[index].float(), clips[index], False


def _map(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.load(path, mmap_mode="c"))
