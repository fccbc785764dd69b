"""Which tokens of a transformer's call each rank has, and the exchange of tokens for heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from diffusers.models.attention_dispatch import (
    _all_to_all_dim_exchange,
    all_to_all_single_any_o_async,
    all_to_all_single_any_qkv_async,
)

if TYPE_CHECKING:
    from diffusers import ContextParallelConfig


@dataclass(slots=True)
class TokenShares:
    """How the tokens of one call are dealt out to the ranks, in their order.

    Uneven shares cost more, because the library's ranks then exchange their sizes in each layer.
    They are used only where tokens or heads cannot be divided evenly.
    """

    context: ContextParallelConfig
    heads: int
    """Of the attention."""
    tokens: int = 0
    """Of all ranks; 0 before the call's first layer."""

    @property
    def rank(self) -> int:
        """This rank's number."""
        rank: int = self.context._ulysses_local_rank  # noqa: SLF001 - the library's own way in.
        return rank

    @property
    def count(self) -> int:
        """The number of ranks."""
        count: int = self.context.ulysses_degree
        return count

    @property
    def group(self) -> dist.ProcessGroup:
        """The process group."""
        group: dist.ProcessGroup = self.context._flattened_mesh.get_group()  # noqa: SLF001
        return group

    def begin(self, tokens: int) -> None:
        """Take the number of tokens of the call that begins.

        Raises:
            ValueError: when there are fewer tokens than ranks.
        """
        if tokens < self.count:
            raise ValueError(
                f"{tokens} tokens cannot be shared by {self.count} devices: take a larger size or "
                f"at most {tokens} devices"
            )
        self.tokens = tokens
        self.context.ulysses_anything = bool(tokens % self.count or self.heads % self.count)

    def sizes(self) -> list[int]:
        """Return the number of tokens of each rank."""
        each, more = divmod(self.tokens, self.count)
        return [each + (rank < more) for rank in range(self.count)]

    def bounds(self) -> tuple[int, int]:
        """Return this rank's first token, and the one after its last."""
        sizes = self.sizes()
        start = sum(sizes[: self.rank])
        return start, start + sizes[self.rank]

    def own(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """Return this rank's part of a tensor that has all tokens along an axis."""
        part: torch.Tensor = tensor.tensor_split(self.count, dim=dim)[self.rank]
        return part

    def join(self, own: torch.Tensor, dim: int) -> torch.Tensor:
        """Return the tensor that all ranks have a part of, along the axis of the tokens."""
        return self._gather(own, dim, self.sizes())

    def own_heads(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return this rank's heads of a tensor (batch, tokens, heads, channels) with all."""
        each = -(-self.heads // self.count)
        return tensor[:, :, self.rank * each : (self.rank + 1) * each]

    def all_heads(self, own: torch.Tensor) -> torch.Tensor:
        """Return the tensor whose heads the ranks have a part of."""
        each = -(-self.heads // self.count)
        sizes = [min(each, self.heads - rank * each) for rank in range(self.count)]
        return self._gather(own, 2, sizes)

    def tokens_for_heads(self, own: torch.Tensor) -> torch.Tensor:
        """Give away tokens for heads: (batch, own tokens, heads, channels) to all of own heads."""
        if self.context.ulysses_anything:
            wait = all_to_all_single_any_qkv_async(own, self.group)
            made: torch.Tensor = wait()
        else:
            made = _all_to_all_dim_exchange(own, 2, 1, self.group)
        return made

    def heads_for_tokens(self, own: torch.Tensor) -> torch.Tensor:
        """Give away heads for tokens: the way back."""
        if self.context.ulysses_anything:
            start, end = self.bounds()
            facts = {"NUM_QO_HEAD": self.heads, "Q_S_LOCAL": end - start}
            wait = all_to_all_single_any_o_async(own, self.group, **facts)
            made: torch.Tensor = wait()
        else:
            made = _all_to_all_dim_exchange(own, 1, 2, self.group)
        return made

    def _gather(self, own: torch.Tensor, dim: int, sizes: list[int]) -> torch.Tensor:
        # Gloo gathers only tensors of one size.
        lacking = list(own.shape)
        lacking[dim] = max(sizes) - own.shape[dim]
        filled = torch.cat([own, own.new_zeros(lacking)], dim=dim).contiguous()
        parts = [torch.empty_like(filled) for _ in sizes]
        dist.all_gather(parts, filled, group=self.group)
        cut = [part.narrow(dim, 0, size) for part, size in zip(parts, sizes, strict=True)]
        return torch.cat(cut, dim=dim)


@runtime_checkable
class ExchangesItself(Protocol):
    """A processor of ours that exchanges tokens for heads by itself."""

    shares: TokenShares | None
    """Of the running call; None on one device."""
