"""The attention kernels: which cards each needs, whether it is exact, and where it comes from.

====================  =========================================  ==================  ==========
word                  backends of diffusers, the first there     compute capability  exact
====================  =========================================  ==================  ==========
``native``            ``native``                                 any                 yes
``cudnn``             ``_native_cudnn``                          8.0 and later       yes
``flash``             ``flash``, ``flash_hub``                   8.0 and later       yes
``flash3``            ``_flash_3``, ``_flash_3_hub``             9.0 to 9.x          yes
``flash4``            ``flash_4_hub``                            9.0 and later       yes
``sage``              ``sage``, ``sage_hub``                     8.0 and later       no
``sage_blackwell``    ``sage_blackwell_hub``                     12.0 and later      no
====================  =========================================  ==================  ==========

Backends named ``…_hub`` come from the Hugging Face hub by the package ``kernels``. They are code,
so a run never fetches one: it uses what the user has fetched. All that can be known beforehand is
checked without a look at the kernel.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from diffusers.models.attention_dispatch import (
    _HUB_KERNELS_REGISTRY,
    AttentionBackendName,
    _check_attention_backend_requirements,
)
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name

NATIVE: Final = "native"
"""PyTorch's own choice; works everywhere."""
TRUSTED: Final = "kernels-community"
"""The publisher whose kernels the hub itself vouches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One backend of diffusers."""

    backend: str
    """Its name in diffusers."""
    lowest: tuple[int, int] | None = None
    """The least compute capability; None for any device."""
    beyond: tuple[int, int] | None = None
    """The first one that it is no longer written for; None for all later ones."""
    masks: bool = False
    """True when it takes a mask, which some models need for the padding of a prompt."""
    exact: bool = True
    """False for one that computes in 8 bits or fewer."""
    package: str = ""
    """What pip installs it from; empty when torch or the hub has it."""

    @property
    def repository(self) -> str:
        """The kernel's repository on the hub; empty for one that a package has."""
        config = _HUB_KERNELS_REGISTRY.get(AttentionBackendName(self.backend))
        return "" if config is None else str(config.repo_id)


NATIVE_KERNEL: Final = Kernel(backend=NATIVE, masks=True)
KERNELS: Final[Mapping[str, tuple[Kernel, ...]]] = MappingProxyType(
    {
        "native": (NATIVE_KERNEL,),
        "cudnn": (Kernel(backend="_native_cudnn", lowest=(8, 0), masks=True),),
        "flash": (
            Kernel(backend="flash", lowest=(8, 0), package="flash-attn"),
            Kernel(backend="flash_hub", lowest=(8, 0)),
        ),
        "flash3": (
            Kernel(backend="_flash_3", lowest=(9, 0), beyond=(10, 0), package="flash-attn-3"),
            Kernel(backend="_flash_3_hub", lowest=(9, 0), beyond=(10, 0)),
        ),
        "flash4": (Kernel(backend="flash_4_hub", lowest=(9, 0)),),
        "sage": (
            Kernel(backend="sage", lowest=(8, 0), package="sageattention", exact=False),
            Kernel(backend="sage_hub", lowest=(8, 0), exact=False),
        ),
        "sage_blackwell": (Kernel(backend="sage_blackwell_hub", lowest=(12, 0), exact=False),),
    }
)
"""The kernels of each word, by preference: what is installed before what the hub has."""
BY_BACKEND: Final = MappingProxyType(
    {kernel.backend: kernel for kernels in KERNELS.values() for kernel in kernels}
)


def is_exact(backend: str) -> bool:
    """Return whether a backend differs from others by rounding alone.

    One that is not known here is the user's own, of which nothing is claimed.
    """
    kernel = BY_BACKEND.get(backend)
    return kernel is None or kernel.exact


def why_not_for(kernel: Kernel, device: torch.device) -> str | None:
    """Return why a kernel is not for a device; None when it is."""
    if kernel.lowest is None:
        return None
    if device.type != "cuda":
        return f"it needs an NVIDIA GPU, and this run is on {device.type}"
    has = torch.cuda.get_device_capability(device)
    if has >= kernel.lowest and (kernel.beyond is None or has < kernel.beyond):
        return None
    needs = f"{_dotted(kernel.lowest)} or later"
    if kernel.beyond is not None:
        needs = f"{_dotted(kernel.lowest)} to {kernel.lowest[0]}.x"
    return f"it needs compute capability {needs}, and this GPU has {_dotted(has)}"


def why_not_here(kernel: Kernel) -> str | None:
    """Return why a kernel is not on this machine, and the command that brings it; None if it is."""
    try:
        _check_attention_backend_requirements(AttentionBackendName(kernel.backend))
    except RuntimeError as error:
        if not kernel.repository:
            return " ".join(str(error).split())
        return f"the package kernels is not installed or too old: {fetch_command(kernel)}"
    if not kernel.repository or is_fetched(kernel):
        return None
    return f"{kernel.repository} is not on this machine; fetch it once: {fetch_command(kernel)}"


def is_fetched(kernel: Kernel) -> bool:
    """Return whether a kernel of the hub lies on this machine, so that nothing is downloaded."""
    config = _HUB_KERNELS_REGISTRY[AttentionBackendName(kernel.backend)]
    if config.kernel_fn is not None:
        return True
    if f"{config.repo_id}=" in os.environ.get("LOCAL_KERNELS", ""):
        return True
    cache = Path(os.environ.get("KERNELS_CACHE") or HF_HUB_CACHE)
    # The kinds of repository in which the package looks.
    folders = (
        cache / repo_folder_name(repo_id=config.repo_id, repo_type=kind) / "snapshots"
        for kind in ("kernel", "model")
    )
    return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)


def fetch_command(kernel: Kernel) -> str:
    """Return the command that fetches a kernel of the hub, and its package if that is missing."""
    config = _HUB_KERNELS_REGISTRY[AttentionBackendName(kernel.backend)]
    # The hub does not vouch for other publishers: the user has to.
    trust = "" if config.repo_id.startswith(f"{TRUSTED}/") else ", trust_remote_code=True"
    call = f"from kernels import get_kernel; get_kernel('{config.repo_id}'"
    fetch = f'python -c "{call}, version={config.version}{trust})"'
    if importlib.util.find_spec("kernels") is None:
        return f"pip install kernels && {fetch}"
    return fetch


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
