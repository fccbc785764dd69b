"""CFG batching: runs both passes of a guided step (prompt, negative prompt) as one batch of two.

The pipelines of Wan call their transformer twice a step. If a pass is too short to fill the
processor, one batch takes less time than two passes. The arithmetic is the same; only the rounding
may differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tiomagic_local.acceleration.components import acceleration_error, transformers

MAX_TOKENS = 512
"""Of a pass. Measured on two cores in fp32: 1.34 times as fast at 80 tokens, 1.23 at 96, 1.1 to
1.16 at 320 and 576, nothing gained at 1,280 and 0.93 at 2,304; a model fifteen times as wide gains
1.3 times at 48 tokens, 1.05 at 320, nothing at 720."""

WORDS = "encoder_hidden_states"
"""The argument in which the two passes differ."""

BATCHED_ARGUMENTS = frozenset(
    {"hidden_states", "timestep", "encoder_hidden_states_image", "control_hidden_states"}
)
"""Arguments with a row for each video; the others apply to all."""

BATCHABLE_CLASSES = frozenset({"WanTransformer3DModel", "WanVACETransformer3DModel"})
"""Transformers whose pipelines call them twice a step, with nothing but these arguments."""


def is_batching_worthwhile(device: torch.device, tokens: int | None) -> bool:
    """Return whether both passes of a step run as one batch, from the call alone.

    Args:
        device: Its device. On a GPU one pass of a usual video fills the processor.
        tokens: Of a pass; None when unknown.
    """
    return device.type == "cpu" and tokens is not None and tokens <= MAX_TOKENS


@dataclass(slots=True)
class CfgBatchingStats:
    """Counts of one run."""

    batched: int = 0
    """Batched steps."""


def batchable_transformers(pipeline: Any) -> list[torch.nn.Module]:
    """Return the transformers of a pipeline whose passes can be batched."""
    return [
        part for part in transformers(pipeline).values() if type(part).__name__ in BATCHABLE_CLASSES
    ]


def require(pipeline: Any) -> None:
    """Raise for a pipeline that does not support it.

    Raises:
        ValidationError: names the value that works.
    """
    if not batchable_transformers(pipeline):
        raise acceleration_error(
            "batch_guidance 'on' is for the transformers of Wan; this model's pipeline makes its "
            "passes together by itself, or takes them in another way. Use 'auto'",
            given="on",
        )


@contextlib.contextmanager
def batch_guidance_passes(pipeline: Any) -> Iterator[CfgBatchingStats]:
    """Batch the passes of each step within the block.

    The first step runs unbatched and shows which two prompts belong together.

    Args:
        pipeline: Loaded.

    Yields:
        The counts; complete when the block ends.
    """
    state = CfgBatchingStats()
    parts = batchable_transformers(pipeline)
    before = [vars(part).get("forward") for part in parts]
    try:
        for part in parts:
            part.forward = _PairedForward(part.forward, state)
        yield state
    finally:
        for part, forward in zip(parts, before, strict=True):
            if forward is None:
                vars(part).pop("forward", None)
            else:
                part.forward = forward


class _PairedForward:
    """A forward pass that also computes the next one."""

    def __init__(self, forward: Callable[..., Any], state: CfgBatchingStats) -> None:
        self._forward = forward
        self._state = state
        self._last: Mapping[str, Any] | None = None
        self._pair: tuple[torch.Tensor, torch.Tensor] | None = None
        self._ahead: tuple[Mapping[str, Any], torch.Tensor] | None = None

    def __call__(self, *given: Any, **named: Any) -> Any:
        if given or named.get("return_dict") is not False or WORDS not in named:
            return self._forward(*given, **named)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and self._follows(ahead[0], named):
            return (ahead[1],)
        if self._pair is not None and named[WORDS] is self._pair[0]:
            return self._both(named, self._pair)
        self._learn(named)
        return self._forward(**named)

    def _both(
        self, named: Mapping[str, Any], pair: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor]:
        batch = {
            name: torch.cat([value, value])
            if name in BATCHED_ARGUMENTS and isinstance(value, torch.Tensor)
            else value
            for name, value in named.items()
        }
        made = self._forward(**{**batch, WORDS: torch.cat(pair)})[0]
        rows = len(pair[0])
        self._ahead = (named, made[rows:])
        self._state.batched += 1
        return (made[:rows],)

    def _follows(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
        return (
            self._pair is not None
            and second[WORDS] is self._pair[1]
            and _same_but_for_words(first, second)
        )

    def _learn(self, named: Mapping[str, Any]) -> None:
        last, self._last = self._last, named
        if last is None or not _same_but_for_words(last, named):
            return
        first, second = last[WORDS], named[WORDS]
        if first is not second and first.shape == second.shape:
            self._pair = (first, second)


def _same_but_for_words(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two calls have identical objects except their prompts."""
    return one.keys() == other.keys() and all(
        value is other[name] for name, value in one.items() if name != WORDS
    )
