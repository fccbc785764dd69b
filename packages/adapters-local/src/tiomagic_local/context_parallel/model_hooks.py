"""What some transformers need besides the split of their tokens.

``FrameAlignment``  Wan Animate: layers that see a video frame by frame.
``OwnContext``      Helios: blocks that are told how many of the tokens are the video's.
``GatheredVideo``     LTX-2: the sound sees the whole video.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.hooks import ModelHook

from tiomagic_local.context_parallel.shares import TokenShares


class FrameAlignment(ModelHook):  # type: ignore[misc]
    """Fills this rank's tokens up to whole frames, and picks those frames' conditions.

    Each token of such a layer sees the conditions of its own frame and no other token, so what is
    filled in changes nothing, and is cut off again. Nothing is exchanged.

    Args:
        shares: Of the running call.
    """

    def __init__(self, shares: TokenShares) -> None:
        super().__init__()
        self._shares = shares
        self._own = slice(0)

    def pre_forward(
        self, module: Any, states: torch.Tensor, conditions: torch.Tensor, *rest: Any, **named: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Take this rank's tokens, and the conditions of all frames: (batch, frames, …)."""
        del module
        start, end = self._shares.bounds()
        size = self._shares.tokens // conditions.shape[1]
        first, last = start // size, -(-end // size)
        before, behind = start - first * size, last * size - end
        self._own = slice(before, before + end - start)
        filled = torch.nn.functional.pad(states, (0, 0, before, behind))
        return (filled, conditions[:, first:last], *rest), named

    def post_forward(self, module: Any, output: torch.Tensor) -> torch.Tensor:
        """Return the output for this rank's tokens."""
        del module
        return output[:, self._own]


class OwnContext(ModelHook):  # type: ignore[misc]
    """Says how many of this rank's tokens are the video's; those of its past lie before them.

    Args:
        shares: Of the running call.
    """

    NAME = "original_context_length"
    PLACE = 4

    def __init__(self, shares: TokenShares) -> None:
        super().__init__()
        self._shares = shares

    def pre_forward(self, module: Any, *given: Any, **named: Any) -> tuple[Any, dict[str, Any]]:
        """Take the arguments of a block, with the number of all tokens of the video."""
        del module
        arguments = list(given)
        place: Any = self.NAME if self.NAME in named else self.PLACE
        holder: Any = named if self.NAME in named else arguments
        start, end = self._shares.bounds()
        holder[place] = max(0, end - max(start, self._shares.tokens - holder[place]))
        return tuple(arguments), named


class GatheredVideo(ModelHook):  # type: ignore[misc]
    """Gives the whole video to an attention that this rank has a part of the video for.

    Args:
        shares: Of the running call.
    """

    NAME = "encoder_hidden_states"

    def __init__(self, shares: TokenShares) -> None:
        super().__init__()
        self._shares = shares

    def pre_forward(self, module: Any, *given: Any, **named: Any) -> tuple[Any, dict[str, Any]]:
        """Take the arguments of an attention; the library names what it attends to."""
        del module
        named[self.NAME] = self._shares.join(named[self.NAME], 1)
        return given, named
