"""Sharding (Ulysses): splits a transformer's tokens among the ranks, and joins them again.

Each rank has all weights and a part of the tokens. Before the attention the ranks exchange tensors:
each gets all tokens of some heads, and after it its own tokens of all heads. Where a transformer is
split, its plan says (:mod:`tiomagic_local.context_parallel.plans`).

``enable_parallelism`` of diffusers does the same permanently, for the transformers that it has a
plan for, and takes a rank's number as its device number. Here it is on only during a call, like all
acceleration.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from diffusers import ContextParallelConfig
from diffusers.hooks import HookRegistry
from diffusers.models._modeling_parallel import ParallelConfig

from tiomagic_local.context_parallel.hooks import CountTokens, JoinTokens, SplitTokens
from tiomagic_local.context_parallel.joint_attention import JointAttention
from tiomagic_local.context_parallel.plans import LAST, ShardingPlan, find_plan
from tiomagic_local.context_parallel.shares import ExchangesItself, TokenShares
from tiomagic_local.context_parallel.support import count_heads

if TYPE_CHECKING:
    import torch
    from diffusers.hooks import ModelHook
    from torch.distributed.device_mesh import DeviceMesh

ENTRANCE = "tiomagic_entrance"
"""Name of the hook that counts the tokens."""
SPLIT = "tiomagic_split"
"""Start of the names of the hooks that split."""
EXIT = "tiomagic_exit"
"""Name of the hook that joins the output."""
BESIDE = "tiomagic_beside"
"""Name of a plan's further hooks."""


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


@contextlib.contextmanager
def shard_transformers(parts: Sequence[Any], config: ParallelConfig) -> Iterator[None]:
    """Split transformers within the block.

    Other hooks on their blocks must be on already: they then see the parts.

    Args:
        parts: The transformers, each of a class that has a plan.
        config: Of the process group.
    """
    with contextlib.ExitStack() as stack:
        for part in parts:
            plan = find_plan(type(part))
            assert plan is not None, "it was asked before whether they can be split"
            _put_on(part, plan, config, stack.callback)
        yield


def _put_on(
    part: Any, plan: ShardingPlan, config: ParallelConfig, undo: Callable[..., object]
) -> None:
    """Split a transformer.

    Args:
        part: The transformer.
        plan: Of its class.
        config: Of the process group.
        undo: Takes what has to be called to have it whole again.
    """
    heads = count_heads(part.config)
    assert heads is not None, "the leader has counted them"
    shares = TokenShares(config.context_parallel_config, heads)
    for name, hook, made in _list_hooks(plan, shares):
        for module in _modules(part, name):
            registry = HookRegistry.check_if_exists_or_initialize(module)
            registry.register_hook(made(), hook)
            undo(registry.remove_hook, hook, recurse=False)
    for name, module in part.named_modules():
        if not fnmatchcase(name, plan.attention) or not hasattr(module, "processor"):
            continue
        if plan.joint:
            undo(setattr, module, "processor", module.processor)
            module.processor = JointAttention(shares)
        else:
            _exchange(module, shares, config, undo)


def _list_hooks(
    plan: ShardingPlan, shares: TokenShares
) -> Iterator[tuple[str, str, Callable[[], ModelHook]]]:
    """Yield the names of modules and hooks, and what makes a hook."""
    for name, splits in plan.splits.items():
        yield name, f"{SPLIT} {name}", partial(SplitTokens, splits, shares)
    for name, kind in plan.hooks.items():
        yield name, BESIDE, partial(kind, shares)
    yield plan.joined, EXIT, partial(JoinTokens, shares)
    # The last one that is registered is the first that gets the arguments.
    yield plan.entrance, ENTRANCE, partial(CountTokens, shares, plan.tokens)


def _exchange(
    module: Any, shares: TokenShares, config: ParallelConfig, undo: Callable[..., object]
) -> None:
    """Have an attention's own processor exchange tokens for heads."""
    processor = module.processor
    if isinstance(processor, ExchangesItself):
        undo(setattr, processor, "shares", None)
        processor.shares = shares
    elif hasattr(processor, "_parallel_config"):
        undo(setattr, processor, "_parallel_config", None)
        processor._parallel_config = config  # noqa: SLF001 - the library's own way in.


def _modules(part: Any, name: str) -> list[Any]:
    """Return the modules that a plan names."""
    if name.endswith(LAST):
        return [part.get_submodule(name.removesuffix(LAST))[-1]]
    if "*" not in name:
        return [part.get_submodule(name)]
    pattern = re.compile(re.escape(name).replace(r"\*", "[^.]+"))
    return [module for found, module in part.named_modules() if pattern.fullmatch(found)]
