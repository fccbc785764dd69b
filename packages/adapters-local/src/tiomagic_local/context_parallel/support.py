"""What is known, without torch, of the transformers that several devices can share.

Ulysses deals out the heads of the attention, so there must be enough of them. A ring, which would
deal out keys and values instead, is not offered: it needs an attention that returns the sum of its
exponentials, which PyTorch's own does not, and is slower where both work (diffusers' measurements).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DIFFUSERS, OURS = "diffusers", "tiomagic"
"""Whose plan it is."""


@dataclass(frozen=True, slots=True)
class SplitClass:
    """A class of transformers that can be split."""

    plan: str
    """Who wrote the plan of the splits."""
    heads: int
    """Of its attention, where a configuration says nothing else: the class's own default."""


SPLIT: Mapping[str, SplitClass] = {
    "WanTransformer3DModel": SplitClass(DIFFUSERS, 40),
    "WanVACETransformer3DModel": SplitClass(OURS, 40),
    "WanAnimateTransformer3DModel": SplitClass(OURS, 40),
    "WanAnimate2Transformer3DModel": SplitClass(OURS, 40),
    "SkyReelsV2Transformer3DModel": SplitClass(OURS, 16),
    "LTXVideoTransformer3DModel": SplitClass(DIFFUSERS, 32),
    "LTX2VideoTransformer3DModel": SplitClass(OURS, 32),
    "HeliosTransformer3DModel": SplitClass(OURS, 40),
    "HunyuanVideo15Transformer3DModel": SplitClass(OURS, 16),
    "HunyuanVideoFramepackTransformer3DModel": SplitClass(OURS, 24),
    "CogVideoXTransformer3DModel": SplitClass(OURS, 30),
    "EasyAnimateTransformer3DModel": SplitClass(OURS, 48),
    "Kandinsky5Transformer3DModel": SplitClass(OURS, 32),
    "MiniMaxH3Transformer3DModel": SplitClass(OURS, 56),
}
"""By the class's name in diffusers."""


def count_heads(config: Mapping[str, Any] | Any) -> int | None:
    """Return the heads of a transformer's attention, from its configuration; None if unknown."""
    named = config if isinstance(config, Mapping) else vars(config)
    for name in ("num_attention_heads", "num_heads"):
        if named.get(name):
            return int(named[name])
    if named.get("model_dim") and named.get("axes_dims"):
        return int(named["model_dim"]) // sum(named["axes_dims"])
    return None


def can_share(heads: int, devices: int) -> bool:
    """Return whether so many devices can share the heads of an attention.

    All have equally many but the last, which may have fewer, and needs one at least.
    """
    return (devices - 1) * -(-heads // devices) < heads


def explain_heads(heads: int, devices: int) -> str | None:
    """Return why so many devices cannot share the heads, with the number that do; None if all do.

    Args:
        heads: Of the attention.
        devices: Those that there are, two at least.
    """
    if can_share(heads, devices):
        return None
    most = max(list_shares(heads, devices), default=1)
    do = f"{most} of them do" if most > 1 else "one of them makes the video"
    return f"{devices} devices cannot share the {heads} heads of its attention: {do}"


def list_shares(heads: int, most: int) -> list[int]:
    """Return the numbers of devices that can share the heads, from 2 to the most."""
    return [count for count in range(2, most + 1) if can_share(heads, count)]


def explain_configuration(config: Mapping[str, Any]) -> str | None:
    """Return why a transformer of this configuration cannot be split; None when it can."""
    kind = config.get("attention_type", "regular")
    if kind != "regular":
        # Its mask is made from the means of 64 tokens each, of all tokens.
        return f"its attention is sparse ({kind}): it picks blocks of tokens from all tokens"
    return None
