"""Selects the attention backend (kernel): the best exact one that works, tried once a process.

All candidates compute the same function and differ in rounding; inexact ones (8-bit kernels) are
left out. The order is fixed and not timed: a close timing could choose another kernel next time,
and the same seed would give another video.
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

log: logging.Logger = logging.getLogger("tiomagic.local")

NATIVE = "native"
"""PyTorch's own choice; works everywhere."""
NAMES = {"native": NATIVE, "cudnn": "_native_cudnn", "flash": "flash", "flash3": "_flash_3"}
"""The values of the argument, with diffusers' names."""

HOPPER = ("_flash_3", "_native_cudnn", "flash", NATIVE)
"""From compute capability 9.0: FlashAttention 3, then cuDNN's, which is also written for these
GPUs; FlashAttention 2 is not."""
AMPERE = ("flash", NATIVE)
"""From compute capability 8.0."""
MASKLESS = frozenset({"_flash_3", "flash"})
"""Backends without masks, which some models need for the padding of a prompt."""

TOLERANCE = 0.02
"""Largest difference to the reference that rounding explains: inputs of unit variance in bf16."""
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
    major, _minor = torch.cuda.get_device_capability(device)
    order = HOPPER if major >= 9 else AMPERE if major >= 8 else (NATIVE,)
    return tuple(
        name
        for name in order
        if not (masked and name in MASKLESS) and not (together and not splits(name))
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
    if difference > TOLERANCE:
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
        word: A key of ``NAMES``.
        device: For the run.
        dtype: Of the model.
        masked: True for a model whose attention has a mask.
        together: True if several devices make the video.

    Raises:
        ValidationError: when it does not work here, with the reason.
    """
    name = NAMES[word]
    reason: str | None
    if together and not splits(name):
        reason = "it cannot be split among several devices"
    elif masked and name in MASKLESS:
        reason = "it takes no mask, and this model's attention has one"
    else:
        reason = None if name == NATIVE else _why_not(name, device, dtype)
    if reason is not None:
        message = f"attention {word!r} does not work here: {reason}; 'auto' takes what does"
        raise acceleration_error(message, given=word)
    return name
