"""Cached latents as training batches."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from training.conditions import Conditions

POSE_SHARE = 0.3
"""Share of batches that are pose_guidance; they have one latent frame more."""
WORDS_ONLY_SHARE = 0.5
"""Share of text_to_video among the other samples."""
IMAGE_SHARE = 0.3
"""Share of image_to_video among them; the rest is interpolate."""
EMPTY_SHARE = 0.1
"""Share of prompts left empty, which guidance needs."""
UNKNOWN_SHARE = 0.05
"""Share of prompts with a word that is not in the vocabulary, so that one does no harm."""
UNKNOWN_WORD = "xyzzy"


class Batches:
    """Draws batches of (target latents, control, prompts) from the cache."""

    def __init__(self, folder: Path, conditions: Conditions, seed: int, limit: int = 0) -> None:
        self._folder, self._conditions = folder, conditions
        self._rng = np.random.default_rng(seed)
        self._shards: list[str] = []
        self._limit = limit
        self.refresh()

    def refresh(self) -> None:
        """Look for shards that were written since."""
        shards = sorted(path.stem for path in self._folder.glob("*.json"))
        if shards == self._shards:
            return
        self._shards = shards
        self._arrays = {
            name: torch.cat(
                [torch.from_numpy(np.load(self._folder / f"{s}.{name}.npy")) for s in shards]
            )
            for name in ("target", "own", "reference")
        }
        self._notes = [
            note for s in shards for note in json.loads((self._folder / f"{s}.json").read_text())
        ][: self._limit or None]
        tasks = np.array([note["task"] for note in self._notes])
        named = np.array([note["scene"]["named_colours"] for note in self._notes])
        self._indices = {task: np.flatnonzero(tasks == task) for task in set(tasks)}
        self._named = np.flatnonzero(named)

    def __len__(self) -> int:
        return len(self._notes)

    def draw(self, size: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """One batch: targets (B, z, t, h, w), control (B, C, t, h, w) and prompts."""
        if self._rng.uniform() < POSE_SHARE and len(self._indices.get("pose_guidance", ())):
            return self._of_task("pose_guidance", self._indices["pose_guidance"], size)
        words = round(size * WORDS_ONLY_SHARE)
        images = round(size * IMAGE_SHARE)
        parts = [self._of_task("text_to_video", self._named, words)]
        for task, count in (("image_to_video", images), ("interpolate", size - words - images)):
            if len(self._indices.get(task, ())):
                parts.append(self._of_task(task, self._indices[task], count))
        targets, controls, prompts = zip(*parts, strict=True)
        return torch.cat(targets), torch.cat(controls), list(chain.from_iterable(prompts))

    def _of_task(
        self, task: str, indices: np.ndarray, size: int
    ) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        chosen = torch.from_numpy(self._rng.choice(indices, size=size))
        target = self._arrays["target"][chosen].float()
        if task == "text_to_video":
            control = self._conditions.control(task).expand(size, -1, -1, -1, -1)
        else:
            own, reference = self._arrays["own"][chosen].float(), None
            if task == "pose_guidance":
                reference = self._arrays["reference"][chosen].float()
                target = torch.cat([reference, target], dim=2)
            control = self._conditions.control(task, own, reference)
        return target, control, [self._words(int(i)) for i in chosen]

    def _words(self, index: int) -> str:
        if self._rng.uniform() < EMPTY_SHARE:
            return ""
        options = self._notes[index]["words"]
        words = options[int(self._rng.integers(len(options)))]
        if self._rng.uniform() < UNKNOWN_SHARE:
            parts = words.split()
            parts.insert(int(self._rng.integers(len(parts) + 1)), UNKNOWN_WORD)
            words = " ".join(parts)
        return words
