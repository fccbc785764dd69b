"""The attention of transformers whose text and video attend to each other, among several ranks.

Each rank has the whole text and a part of the video's tokens. The ranks exchange the video's tokens
for heads, and each takes its own heads of the text: then all tokens meet in those heads. The
library's own exchange would have to split the text too, and its mask, which it cannot.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb

from tiomagic_local.context_parallel.shares import TokenShares

Projected = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Queries, keys and values: (batch, tokens, heads, channels)."""


class JointAttention:
    """A processor for an ``Attention`` of diffusers that sees video and text together.

    Args:
        shares: Of the running call.
    """

    _attention_backend = None
    _parallel_config = None

    def __init__(self, shares: TokenShares) -> None:
        self._shares = shares

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the attention of this rank's part of the video, and of the text.

        Args:
            attn: With the projections.
            hidden_states: This rank's tokens of the video: (batch, tokens, channels).
            encoder_hidden_states: All tokens of the text.
            attention_mask: True for the tokens of the text to attend to, (batch, tokens), or a mask
                for all tokens that the attention takes as it is; None for all.
            image_rotary_emb: Cosines and sines for this rank's tokens.
        """
        shares, text = self._shares, encoder_hidden_states.shape[1]
        video = _project_video(attn, hidden_states, image_rotary_emb)
        words = _project_text(attn, encoder_hidden_states)
        query, key, value = (
            torch.cat([shares.tokens_for_heads(own), shares.own_heads(whole)], dim=1)
            for own, whole in zip(video, words, strict=True)
        )
        seen = dispatch_attention_fn(
            query,
            key,
            value,
            attn_mask=_mask_keys(attention_mask, key.shape[1]),
            backend=self._attention_backend,
        ).to(query.dtype)
        of_video = shares.heads_for_tokens(seen[:, :-text].contiguous())
        of_text = shares.all_heads(seen[:, -text:])
        return _project_out(attn, of_video.flatten(2, 3), of_text.flatten(2, 3))


def _project_video(attn: Any, states: torch.Tensor, rotary: Any) -> Projected:
    query, key, value = _heads(attn, states, attn.to_q, attn.to_k, attn.to_v)
    query, key = _normalized(query, attn.norm_q), _normalized(key, attn.norm_k)
    if rotary is not None:
        query = apply_rotary_emb(query, rotary, sequence_dim=1)
        key = apply_rotary_emb(key, rotary, sequence_dim=1)
    return query, key, value


def _project_text(attn: Any, states: torch.Tensor) -> Projected:
    """Project the text, by projections of its own where the attention has such."""
    if attn.add_q_proj is None:
        query, key, value = _heads(attn, states, attn.to_q, attn.to_k, attn.to_v)
        return _normalized(query, attn.norm_q), _normalized(key, attn.norm_k), value
    query, key, value = _heads(attn, states, attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
    return _normalized(query, attn.norm_added_q), _normalized(key, attn.norm_added_k), value


def _heads(attn: Any, states: torch.Tensor, *layers: Any) -> Projected:
    query, key, value = (layer(states).unflatten(2, (attn.heads, -1)) for layer in layers)
    return query, key, value


def _normalized(tensor: torch.Tensor, norm: Any) -> torch.Tensor:
    made: torch.Tensor = tensor if norm is None else norm(tensor)
    return made


def _mask_keys(mask: torch.Tensor | None, tokens: int) -> torch.Tensor | None:
    """Return a mask of the keys, which lie in their order: the video's, then the text's."""
    if mask is None or mask.ndim != 2:
        return mask
    seen = torch.nn.functional.pad(mask.bool(), (tokens - mask.shape[1], 0), value=True)
    return seen[:, None, None, :]


def _project_out(
    attn: Any, video: torch.Tensor, text: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    for layer in attn.to_out or ():
        video = layer(video)
    own = getattr(attn, "to_add_out", None)
    if own is not None:
        return video, own(text)
    # A text without projections of its own goes the way of the video, if that has one.
    if attn.add_q_proj is None:
        for layer in attn.to_out or ():
            text = layer(text)
    return video, text
