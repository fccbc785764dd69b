"""The process group of the ranks (``torch.distributed``), on this machine only: no open port."""

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
"""Timeout of a wait for another rank. Before the first step a rank encodes the prompt and the
picture alone, perhaps with offloaded weights."""

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"

BACKEND_ENVIRONMENT = {
    "GLOO_SOCKET_IFNAME": LOOPBACK,
    "NCCL_SOCKET_IFNAME": LOOPBACK,
    # By default NCCL's own watchdog would end the whole process, which may be a user's service,
    # when another rank dies. Here ``workers`` watches the ranks instead.
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
    "TORCH_NCCL_ENABLE_MONITORING": "0",
}
"""Environment variables that the backends read while a group is made; there is no other API."""


def join_process_group(folder: str, rank: int, count: int, device: torch.device) -> ParallelConfig:
    """Create the process group; returns when all ranks have joined.

    Args:
        folder: Shared by all ranks of this group, and used by no other.
        rank: Of this process.
        count: Of ranks.
        device: Of this process; if a GPU, the current one.

    Returns:
        The configuration for splitting a transformer.

    Raises:
        RuntimeError: when the other ranks do not join.
    """
    # The sizes of uneven parts are exchanged on the CPU, without waiting for the GPU.
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
        # NCCL connects at its first operation, and needs the environment variables for it.
        flattened = config.context_parallel_config._flattened_mesh  # noqa: SLF001
        for group in (None, mesh["ulysses"].get_group(), flattened.get_group()):
            dist.all_reduce(torch.ones(1, device=device), group=group)
    return config


def leave_process_group() -> None:
    """Leave the process group, whether or not the other ranks still exist."""
    if not dist.is_initialized():
        return
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


def abort_process_group() -> None:
    """Abort this process's wait in the group: called from another thread when a rank has died.

    Only NCCL needs it. Gloo fails by itself when the other end of a connection is closed.
    """
    if dist.is_initialized() and "nccl" in str(dist.get_backend()):
        dist.distributed_c10d._abort_process_group()  # noqa: SLF001 - public in no version yet.


def sum_over_ranks(parts: torch.Tensor) -> torch.Tensor:
    """Return the sum of a small tensor over all ranks."""
    dist.all_reduce(parts)
    return parts


def has_process_group() -> bool:
    """Return whether this process has a process group, also one of another library."""
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
