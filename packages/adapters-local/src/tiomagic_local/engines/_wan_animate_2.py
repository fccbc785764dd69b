"""The attention of Wan-Animate-2 and its cache: exact, without a matrix of all scores.

The driving video runs through the transformer once a segment, and each layer keeps its keys and
values. A frame that is made then looks at all frames that are made with it, and at the one frame of
the driving video that is shown at its time; the first, which holds the character's picture, looks
at none of these. The library says so with a mask over all pairs of tokens, which FlexAttention
alone can run, and only compiled: else it makes a matrix of 44,000 by 86,000 numbers for each of 40
heads.

The mask has no more in it than which frames meet, so here the frames take turns: each is an
ordinary attention over the tokens that it may see, with any kernel that the device has. The numbers
are the same but for rounding, nothing has to be compiled, and no memory goes to scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan_animate_2 import (
    _get_qkv_projections,
    rope_apply,
)

if TYPE_CHECKING:
    from tiomagic_local.context_parallel.shares import TokenShares

LEVELS = 127
"""The largest number in eight bits."""


@dataclass(frozen=True, slots=True)
class EightBits:
    """A tensor in eight bits, with a scale for each token of each head."""

    levels: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, tensor: torch.Tensor) -> EightBits:
        """Return a tensor in eight bits."""
        scale = tensor.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / LEVELS
        return cls((tensor.float() / scale).round().to(torch.int8), scale)

    def restored(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the tensor, rounded to what eight bits can hold."""
        return (self.levels.float() * self.scale).to(dtype)


class ReferenceStore:
    """Says where the keys and values of the driving video wait until a step needs them.

    Attributes:
        in_main_memory: True to keep them in main memory, and bring a layer's at a time.
        eight_bits: True to keep half as many bytes, rounded.
    """

    def __init__(self) -> None:
        self.in_main_memory: bool = False
        self.eight_bits: bool = False

    def keep(self, tensor: torch.Tensor) -> Any:
        """Return what stands for a tensor until it is wanted again."""
        if not self.eight_bits:
            return self._put(tensor)
        small = EightBits.of(tensor)
        return EightBits(self._put(small.levels), self._put(small.scale))

    def give(self, kept: Any, like: torch.Tensor) -> torch.Tensor:
        """Return a kept tensor on the device, in the type of another one."""
        if isinstance(kept, EightBits):
            here = EightBits(_to(kept.levels, like.device), _to(kept.scale, like.device))
            return here.restored(like.dtype)
        assert isinstance(kept, torch.Tensor), "it was put here"
        return _to(kept, like.device)

    def _put(self, tensor: torch.Tensor) -> torch.Tensor:
        if not self.in_main_memory or tensor.device.type != "cuda":
            return tensor
        # Pinned, so that it comes back at the full speed of the bus.
        waits = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return waits.copy_(tensor)


def _to(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return tensor if tensor.device == device else tensor.to(device, non_blocking=True)


class FrameByFrameAttention:
    """The self-attention of a block: frames take turns, and see what the mask lets them see.

    It keeps the keys as they are after their rotation, which is the same at each step.

    Args:
        store: Keeps the keys and values of the driving video.

    Attributes:
        shares: Of a call that several devices make; None on one device.
    """

    _attention_backend = None
    _parallel_config = None

    def __init__(self, store: ReferenceStore) -> None:
        self.store = store
        self.shares: TokenShares | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        *,
        rotary_emb: torch.Tensor,
        grid_sizes: torch.Tensor,
        kv_cache: Any,
        kv_cache_mode: str,
        rope_stride: int = 1,
        **_mask: Any,
    ) -> torch.Tensor:
        """Return the block's attention; called by the library."""
        query, key, value = _get_qkv_projections(attn, hidden_states, None)
        query, key = attn.norm_q(query), attn.norm_k(key)
        query, key, value = (part.unflatten(2, (attn.heads, -1)) for part in (query, key, value))
        if self.shares is not None:
            # From here on all tokens of this rank's heads, and so is what is kept.
            query, key, value = map(self.shares.tokens_for_heads, (query, key, value))
        query = rope_apply(query, grid_sizes, rotary_emb, rope_stride).type_as(value)
        key = rope_apply(key, grid_sizes, rotary_emb, rope_stride).type_as(value)
        if kv_cache_mode == "extract":
            kv_cache.store(self.store.keep(key), self.store.keep(value))
            seen = self._attend(query, key, value)
        else:
            reference = [self.store.give(kept, value) for kept in kv_cache.get()]
            frames = int(grid_sizes[0][0])
            seen = self._frame_by_frame(query, key, value, reference, frames)
        if self.shares is not None:
            seen = self.shares.heads_for_tokens(seen.contiguous())
        seen = seen.flatten(2, 3).type_as(query)
        made: torch.Tensor = attn.to_out[1](attn.to_out[0](seen))
        return made

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = dispatch_attention_fn(
            query,
            key,
            value,
            attn_mask=None,
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        return made

    def _frame_by_frame(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        reference: list[torch.Tensor],
        frames: int,
    ) -> torch.Tensor:
        made, pairs = torch.empty_like(query), []
        tokens = query.shape[1] // frames
        for own, other in zip((key, value), reference, strict=True):
            if other.shape[1] != (frames - 1) * tokens:
                raise ValueError(
                    f"the driving video has {other.shape[1]} tokens for {frames - 1} frames of "
                    f"{tokens}"
                )
            # Room for one frame of the driving video behind the tokens that all frames see.
            pairs.append(torch.cat([own, other[:, :tokens]], dim=1))
        made[:, :tokens] = self._attend(query[:, :tokens], key, value)
        for frame in range(1, frames):
            here, before = _tokens(frame, tokens), _tokens(frame - 1, tokens)
            for pair, other in zip(pairs, reference, strict=True):
                pair[:, -tokens:] = other[:, before]
            made[:, here] = self._attend(query[:, here], *pairs)
        return made


def _tokens(frame: int, tokens: int) -> slice:
    return slice(frame * tokens, (frame + 1) * tokens)


class _NoMasks(dict[Any, None]):
    """Stands where the transformer keeps its masks, none of which is needed."""

    def __contains__(self, _shape: object) -> bool:
        return True

    def __missing__(self, _shape: object) -> None:
        return None


def attend_frame_by_frame(transformer: Any) -> ReferenceStore:
    """Give a transformer this attention for as long as it is loaded, and return its store.

    A transformer that has it already keeps its store: a second engine on it shares that.

    Args:
        transformer: A ``WanAnimate2Transformer3DModel``.
    """
    present = transformer.blocks[0].self_attn.processor
    if isinstance(present, FrameByFrameAttention):
        return present.store
    store = ReferenceStore()
    for block in transformer.blocks:
        block.self_attn.set_processor(FrameByFrameAttention(store))
    transformer.block_masks = _NoMasks()
    return store
