"""Moves the weights of a modular pipeline between the device and main memory.

A modular pipeline has no method for it. The whole components are moved by the hooks of diffusers'
own manager, with a plan of ours: the manager's asks only whether the next network fits, and knows
nothing of what that network will make; the planner has counted both.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.hooks import remove_hook_from_module
from diffusers.hooks import apply_group_offloading
from diffusers.modular_pipelines.components_manager import (
    CustomOffloadHook,
    custom_offload_with_hook,
)

from tiomagic_local.read_ahead import read_ahead

VAE = "vae"
MOVES_IN_PARTS = "_supports_group_offloading"
"""What the classes of diffusers call whether group offload works on them."""


def networks(pipeline: Any) -> dict[str, torch.nn.Module]:
    """Return the networks of a pipeline, by their names."""
    parts = pipeline.components.items()
    return {name: part for name, part in parts if isinstance(part, torch.nn.Module)}


def offload_whole(pipeline: Any, device: torch.device) -> None:
    """Have one network at a time on the device, and the others wait in main memory.

    Args:
        pipeline: With all weights in main memory.
        device: Where it runs.
    """
    # The hooks compare devices, and a network says the number of its own.
    place = torch.device(device.type, device.index or 0) if device.type == "cuda" else device
    hooks = [
        custom_offload_with_hook(name, part, place, offload_strategy=_all_others)
        for name, part in networks(pipeline).items()
    ]
    for hook in hooks:
        for other in hooks:
            if other is not hook:
                hook.add_other_hook(other)


def offload_blocks(pipeline: Any, device: torch.device, *, from_files: bool = False) -> None:
    """Have a few layers at a time on the device, and the VAEs, which are small.

    A network that the library does not move in parts stays on the device as well.

    Transformers move block by block: some read the device from a layer of theirs before it runs,
    and a block is a few hundred megabytes.

    Args:
        pipeline: With all weights in main memory.
        device: Where it runs.
        from_files: True to leave weights that are mapped from files there, see ``read_ahead``.
    """
    for name, part in networks(pipeline).items():
        if name == VAE or not getattr(part, MOVES_IN_PARTS, True):
            part.to(device)
            continue
        blocks = name.startswith("transformer")
        apply_group_offloading(
            part,
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="block_level" if blocks else "leaf_level",
            num_blocks_per_group=1 if blocks else None,
            use_stream=device.type == "cuda",
            # A layer is copied to memory that the GPU can read only when it is due.
            low_cpu_mem_usage=from_files,
        )
        if from_files:
            read_ahead(part)


def release_networks(pipeline: Any) -> None:
    """Move what hooks have on the device back to main memory, after a call or a stopped one."""
    for part in networks(pipeline).values():
        hook = getattr(part, "_hf_hook", None)
        if isinstance(hook, CustomOffloadHook):
            hook.init_hook(part)


def remove_hooks(pipeline: Any) -> None:
    """Remove the hooks that move whole networks of a pipeline."""
    for part in networks(pipeline).values():
        remove_hook_from_module(part, recurse=True)


def _all_others(hooks: list[Any], **_next: Any) -> list[Any]:
    """Return the networks to move off the device before the next one comes: all of them."""
    return hooks
