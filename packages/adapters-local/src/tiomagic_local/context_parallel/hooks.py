"""The hooks that split a transformer's tokens among the ranks, and join them again."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from diffusers.hooks import ModelHook
from diffusers.hooks.context_parallel import ContextParallelSplitHook

from tiomagic_local.context_parallel.plans import Splits, TokenTimes

if TYPE_CHECKING:
    import torch
    from diffusers.models._modeling_parallel import ContextParallelInput

    from tiomagic_local.context_parallel.shares import TokenShares


class CountTokens(ModelHook):  # type: ignore[misc]
    """Takes the number of tokens of a call where they enter, before they are split.

    Args:
        shares: Of the call.
        name: The argument with the tokens.
    """

    def __init__(self, shares: TokenShares, name: str) -> None:
        super().__init__()
        self._shares = shares
        self._name = name
        self._place = 0

    def initialize_hook(self, module: Any) -> Any:
        """Look up where the argument is."""
        names = list(inspect.signature(type(module).forward).parameters)
        self._place = names.index(self._name) - 1
        return module

    def pre_forward(self, module: Any, *given: Any, **named: Any) -> tuple[Any, dict[str, Any]]:
        """Take the arguments before they are split."""
        del module
        states = named[self._name] if self._name in named else given[self._place]
        self._shares.begin(states.shape[1])
        return given, named


class SplitTokens(ContextParallelSplitHook):  # type: ignore[misc]
    """Splits arguments or outputs of a module. The library's own hook refuses uneven parts.

    Args:
        splits: What is split, and where.
        shares: Of the call.
    """

    def __init__(self, splits: Splits, shares: TokenShares) -> None:
        super().__init__(splits, shares.context)
        self._shares = shares

    def _prepare_cp_input(self, x: torch.Tensor, cp_input: ContextParallelInput) -> torch.Tensor:
        if cp_input.expected_dims is not None and x.dim() != cp_input.expected_dims:
            return x
        if isinstance(cp_input, TokenTimes) and x.shape[cp_input.split_dim] != self._shares.tokens:
            return x
        return self._shares.own(x, cp_input.split_dim)


class JoinTokens(ModelHook):  # type: ignore[misc]
    """Joins the tokens of all ranks in a module's output, or in the first of several.

    Args:
        shares: Of the call.
    """

    def __init__(self, shares: TokenShares) -> None:
        super().__init__()
        self._shares = shares

    def post_forward(self, module: Any, output: Any) -> Any:
        """Return the output with the tokens of all ranks."""
        del module
        if isinstance(output, tuple):
            return (self._shares.join(output[0], 1), *output[1:])
        return self._shares.join(output, 1)
