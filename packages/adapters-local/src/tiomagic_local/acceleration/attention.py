"""Selects the attention backend (kernel): the best exact one that works, tried once a process.

All candidates compute the same function and differ in rounding; inexact ones (8-bit kernels) run
only if they are asked for by name. The order is fixed and not timed: a close timing could choose
another kernel next time, and the same seed would give another video.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator

import torch
from diffusers.models.attention_dispatch import (
    AttentionBackendName,
    _AttentionBackendRegistry,
    attention_backend,
    dispatch_attention_fn,
)

from tiomagic_local.acceleration.components import acceleration_error
from tiomagic_local.acceleration.kernels import (
    BY_BACKEND,
    KERNELS,
    NATIVE,
    NATIVE_KERNEL,
    Kernel,
    is_exact,
    why_not_for,
    why_not_here,
)

log: logging.Logger = logging.getLogger("tiomagic.local")

PREFERRED = ("flash_4_hub", "_flash_3", "_flash_3_hub", "_native_cudnn", "flash", "flash_hub")
"""The exact backends, the best first. On Hopper and later, cuDNN's comes before FlashAttention 2,
which is not written for these GPUs."""
HOPPER = (9, 0)
"""Its compute capability."""

TOLERANCE = 0.02
"""Largest difference to the reference that rounding explains: inputs of unit variance in bf16."""
INEXACT_TOLERANCE = 0.2
"""The same for a kernel that computes in 8 bits or fewer: beyond it, it is broken."""
SHAPE = (1, 512, 4, 128)
"""Batch, tokens, heads and channels of the trial: the channels of all large video models."""


def candidates(device: torch.device, *, masked: bool, together: bool = False) -> tuple[str, ...]:
    """Return the exact backends to try, the best first.

    Args:
        device: What the model runs on.
        masked: True for a model whose attention has a mask.
        together: True if several devices make the video: not every backend can be split.
    """
    if device.type != "cuda":
        return (NATIVE,)
    order = [BY_BACKEND[name] for name in PREFERRED]
    if torch.cuda.get_device_capability(device) < HOPPER:
        # There torch's own choice is FlashAttention 2, or what else the shapes allow.
        order = [kernel for kernel in order if kernel.backend != "_native_cudnn"]
    return tuple(
        kernel.backend
        for kernel in (*order, NATIVE_KERNEL)
        if why_not_for(kernel, device) is None
        # What the hub has is code: a run takes it only where the user has fetched it.
        and not (kernel.repository and why_not_here(kernel))
        and (kernel.masks or not masked)
        and not (together and not splits(kernel.backend))
    )


def splits(name: str) -> bool:
    """Return whether the library can split a backend among devices."""
    backend = AttentionBackendName(name)
    return bool(_AttentionBackendRegistry._is_context_parallel_available(backend))  # noqa: SLF001


@functools.cache
def find_working_backend(names: tuple[str, ...], device: torch.device, dtype: torch.dtype) -> str:
    """Return the first backend with correct results here; tried once a process.

    Args:
        names: In the order of preference; the last one is taken without a trial.
        device: For the trial.
        dtype: Of the model.
    """
    for name in names[:-1]:
        reason = _why_not(name, device, dtype)
        if reason is None:
            return name
        log.info("attention %s is not used: %s", name, reason)
    return names[-1]


def _why_not(name: str, device: torch.device, dtype: torch.dtype) -> str | None:
    generator = torch.Generator("cpu").manual_seed(0)
    query, key, value = (torch.randn(SHAPE, generator=generator) for _ in range(3))
    here = [tensor.to(device, dtype) for tensor in (query, key, value)]
    try:
        with attention_backend(name):
            found = dispatch_attention_fn(*here)
    # A kernel that is not installed, or not for this GPU, may raise any exception.
    except Exception as error:  # noqa: BLE001
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    exact = dispatch_attention_fn(*(tensor.float() for tensor in here), backend=NATIVE)
    difference = float((found.float() - exact).abs().max())
    if difference > (TOLERANCE if is_exact(name) else INEXACT_TOLERANCE):
        return f"its result differs by {difference:.3g}"
    return None


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run with a backend for the time of the block.

    The library's own setter would stay active for every model of the process.
    """
    with attention_backend(name):
        yield


def choose_backend(
    device: torch.device, dtype: torch.dtype, *, masked: bool, together: bool = False
) -> str:
    """Return the backend of a run: the user's, from the variable of diffusers, or the best."""
    asked = os.environ.get("DIFFUSERS_ATTN_BACKEND")
    if asked and not (together and not splits(asked)):
        return asked
    names = candidates(device, masked=masked, together=together)
    return find_working_backend(names, device, dtype)


def require_backend(
    word: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    masked: bool,
    together: bool = False,
) -> str:
    """Return the requested backend.

    Args:
        word: A key of ``KERNELS``.
        device: For the run.
        dtype: Of the model.
        masked: True for a model whose attention has a mask.
        together: True if several devices make the video.

    Raises:
        ValidationError: when it does not work here, with the reason.
    """
    kernel, reason = find_kernel(word, device, masked=masked)
    if reason is None and together and not splits(kernel.backend):
        reason = "it cannot be split among several devices"
    if reason is None and kernel.backend != NATIVE:
        reason = _why_not(kernel.backend, device, dtype)
    if reason is not None:
        message = f"attention {word!r} does not work here: {reason}; 'auto' takes what does"
        raise acceleration_error(message, given=word)
    return kernel.backend


def check_attention(word: str, device: torch.device, *, masked: bool) -> None:
    """Raise for a kernel that cannot run here, before anything is loaded.

    Args:
        word: A key of ``KERNELS``, or ``auto``.
        device: For the run.
        masked: True for a model whose attention has a mask.

    Raises:
        ValidationError: with the reason, and how to get the kernel.
    """
    reason = None if word == "auto" else find_kernel(word, device, masked=masked)[1]
    if reason is not None:
        message = f"attention {word!r} does not work here: {reason}; 'auto' takes what does"
        raise acceleration_error(message, given=word)


def find_kernel(word: str, device: torch.device, *, masked: bool) -> tuple[Kernel, str | None]:
    """Return the first kernel of a word that is here, and why it cannot run; None when it can.

    Without one, it is the last, with the reason why that is not here.
    """
    kernels = KERNELS[word]
    kernel = next((one for one in kernels if why_not_here(one) is None), kernels[-1])
    reason = None
    if masked and not kernel.masks:
        reason = "it takes no mask, and this model's attention has one"
    return kernel, reason or why_not_for(kernel, device) or why_not_here(kernel)
