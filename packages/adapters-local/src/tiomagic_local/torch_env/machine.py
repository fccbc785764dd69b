"""Facts of this machine for ``tiomagic doctor``: device, memory, libraries, the hub's token."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tiomagic_local.torch_env.devices import choose_device, describe_device, free_memory_gib
from tiomagic_local.torch_env.main_memory import free_main_memory_gib

LIBRARIES = ("torch", "diffusers", "transformers", "av", "onnxruntime")
"""The libraries of engines, videos and poses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts of this machine."""

    device: str
    """The device that runs models, with the chip if known."""
    device_memory_gib: float | None
    """Free memory of a GPU in GiB; None without one, or if unknown."""
    memory_gib: float | None
    """Free main memory in GiB; None if the system does not report it."""
    threads: int
    """Threads of torch on the CPU."""
    libraries: dict[str, str | None]
    """Version of each of :data:`LIBRARIES`; None for one that is not installed."""
    encodes_h264: bool
    """Whether finished videos can be written."""


def look_at_machine(device: str | None = None) -> Machine:
    """Return the facts of this machine. Imports torch and PyAV.

    Args:
        device: The configured device; None for the best one.

    Raises:
        ConfigurationError: when the configured device cannot be used.
        ImportError: when torch or PyAV is not installed.
    """
    import av.codec
    import torch

    chosen = choose_device(device)
    return Machine(
        device=describe_device(chosen),
        device_memory_gib=free_memory_gib(chosen),
        memory_gib=free_main_memory_gib(),
        threads=torch.get_num_threads(),
        libraries={name: _version(name) for name in LIBRARIES},
        encodes_h264="libx264" in av.codec.codecs_available,
    )


def hub_cache() -> Path:
    """Return the folder of weights from the Hugging Face hub."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def has_stored_hub_token() -> bool:
    """Say whether the hub's own tools have a token, whose value is not used."""
    from huggingface_hub import get_token

    return bool(get_token())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
