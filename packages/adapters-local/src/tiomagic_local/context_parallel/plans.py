"""Where each class of transformers is split among the ranks, and where it is joined again.

The plans of Wan and LTX are the library's own (``_cp_plan``); the others are ours. All have one
form: the tokens are split before the first block, what belongs to a token (its rotary embedding,
its time step) is split likewise, and the tokens are joined behind the last block. Text stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diffusers import (
    CogVideoXTransformer3DModel,
    EasyAnimateTransformer3DModel,
    HeliosTransformer3DModel,
    HunyuanVideo15Transformer3DModel,
    HunyuanVideoFramepackTransformer3DModel,
    Kandinsky5Transformer3DModel,
    LTX2VideoTransformer3DModel,
    LTXVideoTransformer3DModel,
    MiniMaxH3Transformer3DModel,
    SkyReelsV2Transformer3DModel,
    WanAnimate2Transformer3DModel,
    WanAnimateTransformer3DModel,
    WanTransformer3DModel,
    WanVACETransformer3DModel,
)
from diffusers.models._modeling_parallel import ContextParallelInput

from tiomagic_local.context_parallel.model_hooks import (
    FrameAlignment,
    GatheredVideo,
    OwnContext,
)

if TYPE_CHECKING:
    from diffusers.hooks import ModelHook

    from tiomagic_local.context_parallel.shares import TokenShares

Splits = Mapping[str | int, Any]
"""Arguments, by name, or outputs, by number, with their axes of tokens."""

LAST = ".last"
"""Ends the name of the last module of a list."""

TEXT = ("encoder_hidden_states", "encoder_attention_mask")
"""Arguments that stay whole where the text has a mask: the library's exchange does not split it."""


@dataclass(frozen=True)
class TokenTimes(ContextParallelInput):  # type: ignore[misc]
    """An argument that has either one value, or one for each token; only these are split."""


def split_at(dim: int, dims: int | None = None, *, output: bool = False) -> ContextParallelInput:
    """Return how one tensor is split.

    Args:
        dim: The axis of the tokens.
        dims: Number of axes of such a tensor; one with another number stays whole.
        output: True for a module's output.
    """
    return ContextParallelInput(split_dim=dim, expected_dims=dims, split_output=output)


def outputs_at(dim: int, dims: int) -> Splits:
    """Return how the two outputs of a rotary embedding are split: cosines and sines."""
    return {number: split_at(dim, dims, output=True) for number in (0, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardingPlan:
    """How the transformers of one class are split."""

    splits: Mapping[str, Splits]
    """By the names of modules; ``*`` stands for one part of a name."""
    entrance: str
    """The first module that gets the tokens."""
    joined: str
    """The module whose output has the tokens to join."""
    attention: str
    """Attentions in which the tokens meet: names as for ``fnmatch``."""
    tokens: str = "hidden_states"
    """The argument of the entrance with the tokens, (batch, tokens, channels)."""
    joint: bool = False
    """True where those attentions also see the text."""
    hooks: Mapping[str, Callable[[TokenShares], ModelHook]] = field(default_factory=dict)
    """Further hooks on modules, by their names."""


def _of_library(
    kind: Any, *, entrance: str, attention: str, whole: Collection[str] = (), **more: Any
) -> ShardingPlan:
    """Return the plan of a class of the library, without what stays whole."""
    splits = {n: dict(how) for n, how in kind._cp_plan.items() if isinstance(how, dict)}  # noqa: SLF001
    for name in whole:
        splits[""].pop(name, None)
    splits.setdefault("", {}).update(more)
    (joined,) = (name for name in kind._cp_plan if name not in splits)  # noqa: SLF001
    return ShardingPlan(splits=splits, entrance=entrance, joined=joined, attention=attention)


PLANS: Mapping[type, ShardingPlan] = {
    WanTransformer3DModel: _of_library(
        WanTransformer3DModel, entrance="blocks.0", attention="blocks.*.attn1"
    ),
    # The hints are made from this rank's tokens of the control video, for its tokens of the video.
    WanVACETransformer3DModel: ShardingPlan(
        splits={
            "rope": outputs_at(1, 4),
            "vace_blocks.0": {
                "hidden_states": split_at(1, 3),
                "control_hidden_states": split_at(1, 3),
            },
            "blocks.0": {"hidden_states": split_at(1, 3)},
        },
        entrance="vace_blocks.0",
        joined="proj_out",
        attention="*blocks.*.attn1",
    ),
    # A token of the video sees the face of its own frame alone.
    WanAnimateTransformer3DModel: ShardingPlan(
        splits={"rope": outputs_at(1, 4), "blocks.0": {"hidden_states": split_at(1, 3)}},
        entrance="blocks.0",
        joined="proj_out",
        attention="blocks.*.attn1",
        hooks={"face_adapter.*": FrameAlignment},
    ),
    # With diffusion forcing each token has a time step of its own, behind the last block too.
    SkyReelsV2Transformer3DModel: ShardingPlan(
        splits={
            "rope": outputs_at(1, 4),
            "blocks.0": {"hidden_states": split_at(1, 3)},
            "blocks.*": {"temb": split_at(2, 4)},
        },
        entrance="blocks.0",
        joined=f"blocks{LAST}",
        attention="blocks.*.attn1",
    ),
    LTXVideoTransformer3DModel: _of_library(
        LTXVideoTransformer3DModel,
        entrance="",
        attention="transformer_blocks.*.attn1",
        whole=TEXT,
        timestep=TokenTimes(split_dim=1, expected_dims=2),
    ),
    # The sound stays whole on each rank. It sees the whole video, and each token of the video sees
    # the whole sound. The library's plan splits the text too, and forgets all that is between.
    LTX2VideoTransformer3DModel: ShardingPlan(
        splits={
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
            "transformer_blocks.*": {
                "temb": TokenTimes(split_dim=1, expected_dims=3),
                "temb_ca_scale_shift": TokenTimes(split_dim=1, expected_dims=3),
                "temb_ca_gate": TokenTimes(split_dim=1, expected_dims=3),
                "video_rotary_emb": (split_at(-2), split_at(-2)),
            },
            "transformer_blocks.*.audio_to_video_attn": {
                "query_rotary_emb": (split_at(-2), split_at(-2))
            },
        },
        entrance="transformer_blocks.0",
        joined=f"transformer_blocks{LAST}",
        attention="transformer_blocks.*.attn1",
        hooks={"transformer_blocks.*.video_to_audio_attn": GatheredVideo},
    ),
    # The library's plan splits and joins in each layer. Here the past of the video, which lies
    # before it, is shared among the ranks as the video is, once for all layers.
    HeliosTransformer3DModel: ShardingPlan(
        splits={
            "blocks.0": {"hidden_states": split_at(1, 3)},
            "blocks.*": {"temb": split_at(1, 4), "rotary_emb": split_at(1, 3)},
        },
        entrance="blocks.0",
        joined=f"blocks{LAST}",
        attention="blocks.*.attn1",
        hooks={"blocks.*": OwnContext},
    ),
    # Each rank keeps the keys and values of its own heads.
    WanAnimate2Transformer3DModel: ShardingPlan(
        splits={"blocks.0": {"hidden_states": split_at(1, 3)}},
        entrance="blocks.0",
        joined=f"blocks{LAST}",
        attention="blocks.*.self_attn",
    ),
    HunyuanVideo15Transformer3DModel: ShardingPlan(
        splits={
            "rope": outputs_at(0, 2),
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
        },
        entrance="transformer_blocks.0",
        joined="proj_out",
        attention="transformer_blocks.*.attn",
        joint=True,
    ),
    # Tokens of earlier sections lie before those of the video, and are cut off behind the blocks.
    HunyuanVideoFramepackTransformer3DModel: ShardingPlan(
        splits={
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
            "transformer_blocks.*": {"freqs_cis": (split_at(0, 2), split_at(0, 2))},
            "single_transformer_blocks.*": {"image_rotary_emb": (split_at(0, 2), split_at(0, 2))},
        },
        entrance="transformer_blocks.0",
        joined=f"single_transformer_blocks{LAST}",
        attention="*transformer_blocks.*.attn",
        joint=True,
    ),
    CogVideoXTransformer3DModel: ShardingPlan(
        splits={
            "": {"image_rotary_emb": (split_at(0, 2), split_at(0, 2))},
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
        },
        entrance="transformer_blocks.0",
        joined="proj_out",
        attention="transformer_blocks.*.attn1",
        joint=True,
    ),
    EasyAnimateTransformer3DModel: ShardingPlan(
        splits={
            "rope_embedding": outputs_at(0, 2),
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
        },
        entrance="transformer_blocks.0",
        joined="proj_out",
        attention="transformer_blocks.*.attn1",
        joint=True,
    ),
    # Text, sound and video are one row of tokens. The library's plan joins it once for each output.
    MiniMaxH3Transformer3DModel: ShardingPlan(
        splits={
            "rope": outputs_at(0, 2),
            "transformer_blocks.0": {"hidden_states": split_at(1, 3)},
            "transformer_blocks.*": {"adaln_indices": split_at(0, 1)},
        },
        entrance="transformer_blocks.0",
        joined=f"transformer_blocks{LAST}",
        attention="transformer_blocks.*.attn",
    ),
    Kandinsky5Transformer3DModel: ShardingPlan(
        splits={
            "visual_transformer_blocks.0": {"visual_embed": split_at(1, 3)},
            "visual_transformer_blocks.*": {"rope": split_at(1)},
        },
        entrance="visual_transformer_blocks.0",
        joined=f"visual_transformer_blocks{LAST}",
        attention="visual_transformer_blocks.*.self_attention",
        tokens="visual_embed",
    ),
}
"""By class, and for its subclasses."""


def find_plan(kind: type) -> ShardingPlan | None:
    """Return the plan of a class of transformers; None for a class without one.

    A class that is not here is split as its own plan in the library says.
    """
    for base in kind.__mro__:
        if base in PLANS:
            return PLANS[base]
    own = getattr(kind, "_cp_plan", None)
    if own is None:
        return None
    first = (n for n, how in own.items() if isinstance(how, dict) and "hidden_states" in how)
    return _of_library(kind, entrance=next(first), attention="*")
