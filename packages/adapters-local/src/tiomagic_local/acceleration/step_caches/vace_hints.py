"""Has the hints of VACE added inside the blocks, where a cache skips them with the rest.

The transformer of VACE adds a hint after some of its blocks. The library's caches skip the blocks
and not the hints, and what they reuse has the hints of the step before in it: a skipped step would
get them twice.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SCALES = "control_hidden_states_scale"
"""The argument with the strength of each hint."""


@contextlib.contextmanager
def add_hints_inside(part: Any) -> Iterator[None]:
    """Add the hints of a transformer inside its blocks within the block.

    The numbers of a pass with all blocks stay the same.

    Args:
        part: The transformer; one without hints is left alone.
    """
    control = getattr(part, "vace_blocks", None)
    if control is None:
        yield
        return
    hints: list[torch.Tensor] = []
    scales: list[Any] = []

    def before(_part: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        hints.clear()
        call = inspect.signature(type(part).forward).bind_partial(part, *given, **named)
        scales[:] = [call.arguments.get(SCALES)]

    def take(_block: Any, _given: Any, output: tuple[torch.Tensor, torch.Tensor]) -> Any:
        hints.append(output[0])
        # What the transformer adds by itself is nothing.
        return output[0].new_zeros(()), output[1]

    handles = [part.register_forward_pre_hook(before, with_kwargs=True)]
    handles += [block.register_forward_hook(take) for block in control]
    blocks = [part.blocks[index] for index in part.config.vace_layers]
    forwards = [vars(block).get("forward") for block in blocks]
    try:
        for index, block in enumerate(blocks):
            block.forward = _with_hint(block.forward, index, hints, scales)
        yield
    finally:
        for handle in handles:
            handle.remove()
        for block, forward in zip(blocks, forwards, strict=True):
            if forward is None:
                vars(block).pop("forward", None)
            else:
                block.forward = forward


def _with_hint(
    forward: Callable[..., torch.Tensor], index: int, hints: list[torch.Tensor], scales: list[Any]
) -> Callable[..., torch.Tensor]:
    def forward_with_hint(*given: Any, **named: Any) -> torch.Tensor:
        scale = 1.0 if scales[0] is None else scales[0][index]
        made = forward(*given, **named)
        return made + hints[index].to(made.device) * scale

    return forward_with_hint
