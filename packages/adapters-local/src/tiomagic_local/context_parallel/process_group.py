"""The process group of the ranks. It is one of this machine: no port is opened to the network."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from tiomagic_local.context_parallel.sharding import build_parallel_config

if TYPE_CHECKING:
    from diffusers.models._modeling_parallel import ParallelConfig

COLLECTIVE_TIMEOUT = timedelta(minutes=5)
"""For another rank, where waiting has an end of its own. Before the first step a rank encodes the
prompt and the picture by itself, with its weights on the device or coming layer by layer."""

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"

BACKEND_ENVIRONMENT = {
    "GLOO_SOCKET_IFNAME": LOOPBACK,
    "NCCL_SOCKET_IFNAME": LOOPBACK,
    # Left alone, NCCL's own watchdog would end the whole process, which may be anybody's service,
    # when another rank is gone. Here the band is watched instead.
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
    "TORCH_NCCL_ENABLE_MONITORING": "0",
}
"""Read by the backends while a group is made, and no other way of telling them."""


def join_process_group(folder: str, rank: int, count: int, device: torch.device) -> ParallelConfig:
    """Make the process group; returns when all ranks are in it.

    Args:
        folder: The same for all ranks, and for this group alone.
        rank: Of this process.
        count: Of ranks.
        device: Of this process; the current one, where it is a GPU.

    Returns:
        What a transformer is split by.

    Raises:
        RuntimeError: when the others do not come.
    """
    # The sizes of uneven parts are exchanged on the CPU, which is no wait for the GPU.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "cpu:gloo"
    with _surroundings():
        dist.init_process_group(
            backend,
            store=dist.FileStore(str(Path(folder) / "group"), count),  # type: ignore[attr-defined]
            rank=rank,
            world_size=count,
            timeout=COLLECTIVE_TIMEOUT,
        )
        mesh = init_device_mesh(device.type, (1, count), mesh_dim_names=("ring", "ulysses"))
        config = build_parallel_config(mesh, device)
        # NCCL connects at the first word, and needs the surroundings for it.
        flattened = config.context_parallel_config._flattened_mesh  # noqa: SLF001
        for group in (None, mesh["ulysses"].get_group(), flattened.get_group()):
            dist.all_reduce(torch.ones(1, device=device), group=group)
    return config


def leave_process_group() -> None:
    """Leave the process group, whether or not the others are still there."""
    if not dist.is_initialized():
        return
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


def abort_process_group() -> None:
    """End what this process waits for in the group: from another thread, when a rank is gone.

    Only NCCL has to be told. Gloo fails by itself when the other end of a connection is closed.
    """
    if dist.is_initialized() and "nccl" in str(dist.get_backend()):
        dist.distributed_c10d._abort_process_group()  # noqa: SLF001 - public in no version yet.


def sum_over_ranks(parts: torch.Tensor) -> torch.Tensor:
    """Return the sum of a small tensor over all ranks."""
    dist.all_reduce(parts)
    return parts


def has_process_group() -> bool:
    """Return whether this process has a process group, be it somebody else's."""
    return dist.is_available() and dist.is_initialized()


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    before: dict[str, Any] = {name: os.environ.get(name) for name in BACKEND_ENVIRONMENT}
    missing = [name for name, value in before.items() if value is None]
    os.environ.update({name: BACKEND_ENVIRONMENT[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
