"""Cached latents as training batches."""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from training import text
from training.conditions import TASKS, Conditions

POSE_SHARE = 0.2
"""Share of batches that are pose_guidance; they have one latent frame more."""
WORDS_ONLY_SHARE = 0.65
"""Share of text_to_video among the other samples."""
IMAGE_SHARE = 0.2
"""Share of image_to_video among them; the rest is interpolate."""
EMPTY_SHARE = 0.1
"""Share of prompts left empty, which guidance needs."""
UNKNOWN_SHARE = 0.05
"""Share of prompts with a word that is not in the vocabulary, so that one does no harm."""
WORDINGS = 3
"""Prompts kept for each clip; more clips are worth more than more wordings."""


class Batches:
    """Draws batches of (target latents, control, token ids) from the cache.

    Args:
        folder: Of the shards that `training.cache` writes. Some have no conditions.
        conditions: Puts controls together; batches are where its home is.
        tokenizer: Of the model.
        seed: Of all draws.
        limit: Use only so many clips; 0 for all.
    """

    def __init__(
        self,
        folder: Path,
        conditions: Conditions,
        tokenizer: PreTrainedTokenizerFast,
        seed: int,
        limit: int = 0,
    ) -> None:
        self._folder, self._conditions, self._tokenizer = folder, conditions, tokenizer
        self._rng = np.random.default_rng(seed)
        self._limit = limit
        self._shards: set[str] = set()
        self._arrays: dict[str, torch.Tensor] = {}
        self._conditioned = np.empty(0, np.int64)
        self._empty = self._ids_of([""])[0]
        self._ids = np.empty((0, WORDINGS, len(self._empty)), np.int64)
        self._tasks, self._named_colours = np.empty(0, str), np.empty(0, bool)
        self.refresh()

    def refresh(self) -> None:
        """Take in the shards that were written since."""
        new = sorted({path.stem for path in self._folder.glob("*.json")} - self._shards)
        if not new or (self._limit and len(self) >= self._limit):
            return
        self._shards.update(new)
        before = int(self._conditioned.max(initial=-1)) + 1
        for name in ("target", "own", "reference"):
            files = [self._folder / f"{stem}.{name}.npy" for stem in new]
            loaded = [np.load(file) for file in files if file.exists()]
            parts = [torch.from_numpy(array).to(self._conditions.home) for array in loaded]
            known = [self._arrays[name]] if name in self._arrays else []
            if known or parts:
                self._arrays[name] = torch.cat([*known, *parts])
        notes = [
            note for stem in new for note in json.loads((self._folder / f"{stem}.json").read_text())
        ]
        keep = slice(self._limit or None)
        ids = self._ids_of([words for note in notes for words in note["words"]])
        ids = ids.reshape(len(notes), WORDINGS, -1)
        self._ids = np.concatenate([self._ids, ids])[keep]
        self._tasks = np.concatenate([self._tasks, [note["task"] for note in notes]])[keep]
        alone = np.array([note["task"] == "text_to_video" for note in notes])
        rows = np.where(alone, -1, before + np.cumsum(~alone) - 1)
        self._conditioned = np.concatenate([self._conditioned, rows])[keep]
        named = [note["scene"]["named_colours"] for note in notes]
        self._named_colours = np.concatenate([self._named_colours, named])[keep]
        self._indices = {task: np.flatnonzero(self._tasks == task) for task in TASKS}
        self._named = np.flatnonzero(self._named_colours)

    def __len__(self) -> int:
        return len(self._ids)

    def draw(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One batch: targets (B, z, t, h, w), control (B, C, t, h, w), token ids (B, tokens)."""
        if self._rng.uniform() < POSE_SHARE and len(self._indices["pose_guidance"]):
            return self._of_task("pose_guidance", self._indices["pose_guidance"], size)
        words = round(size * WORDS_ONLY_SHARE)
        images = round(size * IMAGE_SHARE)
        parts = [self._of_task("text_to_video", self._named, words)]
        for task, count in (("image_to_video", images), ("interpolate", size - words - images)):
            if len(self._indices[task]):
                parts.append(self._of_task(task, self._indices[task], count))
        targets, controls, ids = zip(*parts, strict=True)
        return torch.cat(targets), torch.cat(controls), torch.cat(ids)

    def draw_words(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One batch of text to video alone."""
        return self._of_task("text_to_video", self._named, size)

    def _of_task(
        self, task: str, indices: np.ndarray, size: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        drawn = self._rng.choice(indices, size=size)
        chosen = torch.from_numpy(drawn).to(self._conditions.home)
        target = self._arrays["target"][chosen].float()
        if task == "text_to_video":
            control = self._conditions.control(task).expand(size, -1, -1, -1, -1)
        else:
            row = torch.from_numpy(self._conditioned[drawn]).to(self._conditions.home)
            own, reference = self._arrays["own"][row].float(), None
            if task == "pose_guidance":
                reference = self._arrays["reference"][row].float()
                target = torch.cat([reference, target], dim=2)
            control = self._conditions.control(task, own, reference)
        return target, control, self._worded(drawn)

    def _worded(self, drawn: np.ndarray) -> torch.Tensor:
        """One wording of each clip, some of them with a word nobody knows, some empty."""
        count = len(drawn)
        ids = self._ids[drawn, self._rng.integers(WORDINGS, size=count)]
        for row in ids[self._rng.uniform(size=count) < UNKNOWN_SHARE]:
            length = int(np.count_nonzero(row != self._tokenizer.pad_token_id))
            at = int(self._rng.integers(length))
            # The last place holds the end of the longest prompts; it may be lost.
            row[at + 1 : length + 1] = row[at:length][: len(row) - at - 1]
            row[at] = self._tokenizer.unk_token_id
        ids[self._rng.uniform(size=count) < EMPTY_SHARE] = self._empty
        return torch.from_numpy(ids).to(self._conditions.home)

    def _ids_of(self, words: list[str]) -> np.ndarray:
        return text.tokenize(self._tokenizer, words, self._conditions.setup).numpy()
