"""Selects devices and number types (dtype), and measures their memory."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.quantities import GIB
from tiomagic_local.torch_env.imports import pause_garbage_collection

if TYPE_CHECKING:
    import torch


GROUPED = re.compile(r"cpu|cuda:(0|[1-9][0-9]*)")
"""A device that can make a video together with others."""


def group_members(wanted: str | None) -> tuple[str, ...]:
    """Return the devices of a group, such as ``cuda:0,cuda:1``; empty for anything else.

    Parses only: it does not check that they exist, and does not load torch.

    Raises:
        ConfigurationError: when it is not a possible group.
    """
    if wanted is None or "," not in wanted:
        return ()
    named = [name.strip() for name in wanted.split(",")]
    found = tuple("cuda:0" if name == "cuda" else name for name in named)
    kinds = {name.partition(":")[0] for name in found}
    if not all(GROUPED.fullmatch(name) for name in found):
        why = "several devices are CUDA GPUs with their numbers"
    elif len(kinds) > 1:
        why = "they are of several kinds, and one video is made by devices of one"
    # Tests of groups use the one CPU twice.
    elif len(set(found)) < len(found) and kinds != {"cpu"}:
        why = "one of them is named twice"
    else:
        return found
    raise ConfigurationError(
        f"device {wanted!r} names no group of devices: {why}. Write, for example, 'cuda:0,cuda:1'",
        details={"device": wanted},
    )


def all_together() -> str | None:
    """Return all GPUs of this machine as one group; None if there are fewer than two."""
    names = device_names(None)
    return ",".join(names) if len(names) > 1 else None


def choose_device(wanted: str | None) -> torch.device:
    """Return the requested device, or the best available one.

    Args:
        wanted: Such as ``cuda``, ``cuda:1``, ``mps`` or ``cpu``; of a group, such as
            ``cuda:0,cuda:1``, the first one; None for CUDA, then MPS, then CPU.

    Raises:
        ConfigurationError: when there is no such device, or a group lacks one.
    """
    with pause_garbage_collection():
        import torch

    if wanted is None:
        return torch.device(_best())
    group = group_members(wanted)
    if group:
        _look_for(group)
        wanted = group[0]
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    # torch raises AssertionError for "not compiled with CUDA", else RuntimeError.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(
            f"the device {wanted!r} cannot be used: {error}. Here the best one is {_best()!r}",
            details={"device": wanted, "best": _best()},
            code=ErrorCode.DEVICE_MISSING,
        ) from error
    return device


def device_names(wanted: str | None) -> list[str]:
    """Return the devices that a worker may choose from, by unique names.

    Args:
        wanted: The requested device; None for all GPUs, or the best device without a GPU.
    """
    with pause_garbage_collection():
        import torch

    if wanted == "cuda":
        return ["cuda:0"]
    if wanted is not None:
        # A group is one device.
        return [",".join(group_members(wanted)) or wanted]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{index}" for index in range(count)] or [_best()]


def _look_for(group: tuple[str, ...]) -> None:
    """Check that all devices of a group exist, without initialising them."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = {"cpu", *(f"cuda:{index}" for index in range(count))}
    absent = [name for name in group if name not in there]
    if absent:
        raise ConfigurationError(
            f"the device {absent[0]!r} of the group {','.join(group)!r} is not there. Here are: "
            f"{', '.join(sorted(there))}",
            details={"device": absent[0], "there": sorted(there)},
            code=ErrorCode.DEVICE_MISSING,
        )


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(card: ModelCard, device: torch.device) -> torch.dtype:
    """Return the type of the weights, except those that the engine keeps in fp32.

    A card may name its own in ``options["dtype"]``, or in ``options["gpu_dtype"]`` for GPUs only.

    bf16 on CUDA, on the chips that only emulate it too: fp16 overflows in Wan's transformer and
    gives black frames. On MPS bf16 if the system supports it. fp32 on a CPU: measured on eight
    million parameters, a step in bf16 takes 0.8 times as long where the CPU multiplies bf16 in
    hardware (AVX512-BF16) and 3.2 times as long where it does not (AVX2), which is most of them.
    """
    import torch

    on_gpu = card.options.get("gpu_dtype") if device.type in {"cuda", "mps"} else None
    named = card.options.get("dtype", on_gpu)
    if named is not None:
        dtype: torch.dtype = getattr(torch, str(named))
        return dtype
    if device.type == "cuda" or (device.type == "mps" and _has_bf16(device)):
        return torch.bfloat16
    return torch.float32


def _has_bf16(device: torch.device) -> bool:
    import torch

    try:
        torch.ones(1, dtype=torch.bfloat16, device=device).add_(1)
    except (RuntimeError, TypeError):
        return False
    return True


def free_memory_gib(device: torch.device) -> float | None:
    """Return the free memory of a GPU in GiB; None if unknown."""
    import torch

    if device.type != "cuda":
        return None
    free, _total = torch.cuda.mem_get_info(device)
    # Memory that torch has reserved but not allocated is free for us too.
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free + cached) / GIB


@dataclass(slots=True)
class PeakMemory:
    """The peak memory of a run on its device."""

    gib: float | None = None
    """The peak of torch's allocations, weights included; None on devices without a count."""


@contextlib.contextmanager
def measure_peak_memory(device: torch.device) -> Iterator[PeakMemory]:
    """Measure the peak of a GPU's memory for the time of the block.

    Yields:
        The peak, which is set when the block ends.
    """
    import torch

    peak = PeakMemory()
    if device.type != "cuda":
        yield peak
        return
    torch.cuda.reset_peak_memory_stats(device)
    try:
        yield peak
    finally:
        peak.gib = torch.cuda.max_memory_allocated(device) / GIB


def release_memory(device: torch.device) -> None:
    """Release the device memory that torch caches."""
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def describe_device(device: torch.device) -> str:
    """Return a device's name for the record, with the chip if known."""
    import torch

    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
