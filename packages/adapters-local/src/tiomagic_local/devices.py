"""Which device runs the model, and in which numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import ConfigurationError
from tiomagic_local.importing import uncollected

if TYPE_CHECKING:
    import torch

GIB = 2**30


def choose_device(wanted: str | None) -> torch.device:
    """Return the device that was asked for, or the best one that is there.

    Args:
        wanted: Such as ``cuda``, ``cuda:1``, ``mps`` or ``cpu``; None for CUDA, then MPS, then CPU.

    Raises:
        ConfigurationError: when there is no such device.
    """
    with uncollected():
        import torch

    if wanted is None:
        return torch.device(_best())
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    # torch says "not compiled with CUDA" by AssertionError, the rest by RuntimeError.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(
            f"the device {wanted!r} cannot be used: {error}. Here the best one is {_best()!r}",
            details={"device": wanted, "best": _best()},
        ) from error
    return device


def device_names(wanted: str | None) -> list[str]:
    """Return the devices that a worker may choose from, by names that tell each from the others.

    Args:
        wanted: The device that was asked for; None for all GPUs, or what is there without one.
    """
    with uncollected():
        import torch

    if wanted == "cuda":
        return ["cuda:0"]
    if wanted is not None:
        return [wanted]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{index}" for index in range(count)] or [_best()]


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(card: ModelCard, device: torch.device) -> torch.dtype:
    """Return the type of the weights, except those that the engine keeps in fp32.

    A card may name its own in ``options["dtype"]``.

    bf16 on CUDA, on the chips that only emulate it too: fp16 overflows in Wan's transformer and
    gives black frames. On MPS bf16 where the system knows it. fp32 on a CPU: measured on eight
    million parameters, a step in bf16 takes 0.8 times as long where the CPU multiplies bf16 in
    hardware (AVX512-BF16) and 3.2 times as long where it does not (AVX2), which is most of them.
    """
    import torch

    named = card.options.get("dtype")
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
    """Return the free memory of a GPU in GiB; None where it cannot be asked."""
    import torch

    if device.type != "cuda":
        return None
    free, _total = torch.cuda.mem_get_info(device)
    # What torch has reserved and does not use is free for us as well.
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free + cached) / GIB


def release_memory(device: torch.device) -> None:
    """Give back what torch keeps of the device's memory for later."""
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def describe(device: torch.device) -> str:
    """Return a device's name for the record, with the chip where it is known."""
    import torch

    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
