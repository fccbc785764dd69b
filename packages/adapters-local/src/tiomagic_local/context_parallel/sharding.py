"""Sharding (Ulysses): splits a transformer's tokens among the ranks, and joins them again.

Each rank has all weights and a part of the tokens. Before the attention the ranks exchange tensors:
each gets all tokens of some heads, and after it its own tokens of all heads. The plan of the splits
is the model's own (``_cp_plan`` in diffusers).

``enable_parallelism`` of diffusers does the same permanently, and takes a rank's number as its
device number. Here it is on only during a call, like all acceleration.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import torch.distributed as dist
from diffusers import (
    ContextParallelConfig,
    HeliosTransformer3DModel,
    LTX2VideoTransformer3DModel,
    LTXVideoTransformer3DModel,
    MiniMaxH3Transformer3DModel,
    WanTransformer3DModel,
)
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.hooks.context_parallel import (
    apply_context_parallel,
    remove_context_parallel,
)
from diffusers.models._modeling_parallel import ParallelConfig, gather_size_by_comm
from diffusers.models.attention import AttentionModuleMixin

from tiomagic_local.checkpoint.pipeline_index import read_index
from tiomagic_local.component_files.kinds import TRANSFORMER

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from tiomagic_local.weights.locate import Weights

ENTRANCE = "tiomagic_entrance"
"""Name of the hook on a transformer's arguments."""
EXIT = "tiomagic_exit"
"""Name of the hook that joins the output."""

TEXT = ("encoder_hidden_states", "encoder_attention_mask")
"""Inputs that are not split if the text has a mask: the library's exchange of heads does not split
the mask, and fails."""


def _count_latent_tokens(module: Any, states: torch.Tensor) -> int:
    patch = module.config.patch_size
    return math.prod(int(s) // int(by) for s, by in zip(states.shape[2:], patch, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerTraits:
    """What the library's plan does not say of a class of transformers."""

    count_tokens: Callable[[Any, torch.Tensor], int] | None = None
    """The tokens of its ``hidden_states``; None where they are not known."""
    has_masked_text: bool = False
    """True where the text has a mask: it is not split, and its attention exchanges nothing."""
    has_token_times: bool = False
    """True where there may be a time step for each token, which no plan of the library splits."""
    refused: str | None = None
    """Why it cannot be split after all."""


TRAITS: Mapping[type, TransformerTraits] = {
    WanTransformer3DModel: TransformerTraits(count_tokens=_count_latent_tokens),
    LTXVideoTransformer3DModel: TransformerTraits(
        count_tokens=lambda _module, states: int(states.shape[1]),
        has_masked_text=True,
        has_token_times=True,
    ),
    # Its plan splits pictures and text, but the attention of the sound needs all of both, and the
    # masks fail as those of LTX do.
    LTX2VideoTransformer3DModel: TransformerTraits(
        refused="what diffusers splits of a LTX2VideoTransformer3DModel breaks its sound"
    ),
    # Every other class is split once at its beginning and joined once at its end.
    HeliosTransformer3DModel: TransformerTraits(
        refused="a HeliosTransformer3DModel is split anew in each block, which is not built here"
    ),
    # The row of its tokens is made inside, and its length is that of the words, too.
    MiniMaxH3Transformer3DModel: TransformerTraits(
        refused="a MiniMaxH3Transformer3DModel is split in its first block, which is not built here"
    ),
}
"""By class, and for its subclasses; one that is not here is split as its plan says."""


def traits_of(kind: type) -> TransformerTraits:
    """Return what is known of a class of transformers."""
    return next((TRAITS[base] for base in kind.__mro__ if base in TRAITS), TransformerTraits())


def build_parallel_config(mesh: DeviceMesh, device: torch.device) -> ParallelConfig:
    """Return the configuration for splitting a transformer; made once for a process group.

    Args:
        mesh: Of the dimensions ``ring`` (1) and ``ulysses``.
        device: This rank's.
    """
    context = ContextParallelConfig(ulysses_degree=mesh.size())
    made = ParallelConfig(context_parallel_config=context)
    made.setup(mesh.get_rank(), mesh.size(), device, mesh=mesh)
    return made


def kinds(weights: Weights) -> list[type]:
    """Return the classes of a model's transformers, before it is loaded."""
    index = read_index(weights.folder)
    named = {name: said[1] for name, said in index.items() if name.startswith(TRANSFORMER)}
    named |= {found.part.name: found.part.kind for found in weights.parts}
    found = (getattr(diffusers, str(kind), None) for name, kind in named.items() if name in index)
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, torch.nn.Module)]


def explain_unsplittable(kinds: Collection[type]) -> str | None:
    """Return why transformers of these classes cannot be split; None when they can."""
    for kind in kinds:
        if getattr(kind, "_cp_plan", None) is None:
            return f"diffusers cannot split a {kind.__name__}"
        refused = traits_of(kind).refused
        if refused is not None:
            return refused
    return None if kinds else "the model has no transformer"


@contextlib.contextmanager
def shard_transformers(parts: Sequence[Any], config: ParallelConfig) -> Iterator[None]:
    """Split transformers within the block.

    Other hooks on their blocks must be on already: they then see the parts.

    Args:
        parts: The transformers.
        config: Of the process group.
    """
    on: list[Any] = []
    try:
        for part in parts:
            on.append(part)
            _put_on(part, config)
        yield
    finally:
        for part in on:
            _take_off(part)


def _put_on(part: Any, config: ParallelConfig) -> None:
    context = config.context_parallel_config
    for processor in _processors(part):
        processor._parallel_config = config  # noqa: SLF001 - the library's own way in.
    inputs, output, dim = _plan(part)
    apply_context_parallel(part, context, inputs)
    _registry(part.get_submodule(output)).register_hook(_Exit(context, dim), EXIT)
    _registry(part).register_hook(_Entrance(context), ENTRANCE)


def _take_off(part: Any) -> None:
    inputs, output, _dim = _plan(part)
    _registry(part).remove_hook(ENTRANCE, recurse=False)
    _registry(part.get_submodule(output)).remove_hook(EXIT, recurse=False)
    remove_context_parallel(part, inputs)
    for processor in _processors(part):
        processor._parallel_config = None  # noqa: SLF001


def _registry(module: Any) -> HookRegistry:
    return HookRegistry.check_if_exists_or_initialize(module)


def _plan(part: Any) -> tuple[dict[str, Any], str, int]:
    """Return the modules with split inputs and with joined outputs, and the axes.

    Raises:
        ValueError: when a model's plan has another form.
    """
    inputs = {name: how for name, how in part._cp_plan.items() if isinstance(how, dict)}  # noqa: SLF001
    if traits_of(type(part)).has_masked_text:
        inputs[""] = {name: how for name, how in inputs[""].items() if name not in TEXT}
    ((output, how),) = [(n, how) for n, how in part._cp_plan.items() if n not in inputs]  # noqa: SLF001
    return inputs, output, how.gather_dim


def _processors(part: Any) -> Iterator[Any]:
    """Yield the attention processors that exchange tokens for heads."""
    for name, module in part.named_modules():
        if not isinstance(module, AttentionModuleMixin):
            continue
        # Every rank has the whole text, so cross-attention exchanges nothing. Wan's own handles it.
        if traits_of(type(part)).has_masked_text and not name.endswith(".attn1"):
            continue
        if hasattr(module.processor, "_parallel_config"):
            yield module.processor


class _Entrance(ModelHook):  # type: ignore[misc]
    """Inspects a transformer's arguments before they are split.

    Uneven parts cost more, because the ranks exchange their sizes in each layer. They are used only
    if tokens or heads cannot be divided evenly. LTX may also have a time step for each token, which
    the library's plan does not split.
    """

    def __init__(self, context: ContextParallelConfig) -> None:
        super().__init__()
        self._context = context

    def pre_forward(self, module: Any, *given: Any, **named: Any) -> tuple[Any, dict[str, Any]]:
        """Take the arguments before they are split."""
        count = self._context.ulysses_degree
        traits, states = traits_of(type(module)), named.get("hidden_states")
        tokens = None
        if traits.count_tokens is not None and states is not None:
            tokens = traits.count_tokens(module, states)
        heads = module.config.num_attention_heads
        self._context.ulysses_anything = tokens is None or bool(tokens % count or heads % count)
        moments: Any = named.get("timestep")
        if traits.has_token_times and moments.ndim == 2 and moments.shape[1] == tokens:
            own = moments.tensor_split(count, dim=1)
            named["timestep"] = own[self._context._ulysses_local_rank]  # noqa: SLF001
        return given, named


class _Exit(ModelHook):  # type: ignore[misc]
    """Joins the parts. The library's own hook passes uneven parts to Gloo, which fails."""

    def __init__(self, context: ContextParallelConfig, dim: int) -> None:
        super().__init__()
        self._context = context
        self._dim = dim

    def post_forward(self, module: Any, output: torch.Tensor) -> torch.Tensor:
        """Return the output of all ranks."""
        del module
        mesh = self._context._flattened_mesh  # noqa: SLF001
        group, length = mesh.get_group(), output.shape[self._dim]
        sizes = [length] * mesh.size()
        if self._context.ulysses_anything:
            sizes = gather_size_by_comm(length, group)
        lacking = list(output.shape)
        lacking[self._dim] = max(sizes) - length
        filled = torch.cat([output, output.new_zeros(lacking)], dim=self._dim)
        parts = [torch.empty_like(filled) for _ in sizes]
        dist.all_gather(parts, filled, group=group)
        own = [part.narrow(self._dim, 0, size) for part, size in zip(parts, sizes, strict=True)]
        return torch.cat(own, dim=self._dim)
