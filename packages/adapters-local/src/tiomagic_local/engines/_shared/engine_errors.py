"""Errors of pipelines, as a job's record has them: with advice, and a code."""

from __future__ import annotations

import torch

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError

LOST_DEVICE = (
    "CUDA error",
    "No CUDA GPUs are available",
    "CUDA driver",
    "HIP error",
    "CUDNN_STATUS",
)
"""Torch's messages about a device that this process cannot use any more."""


def translate_engine_error(error: Exception) -> GenerationError:
    """Return the error for an exception of a pipeline, with advice."""
    text = str(error)
    short = isinstance(error, torch.OutOfMemoryError) or "out of memory" in text.lower()
    if short or "can't allocate memory" in text:
        return GenerationError(
            "the memory was not enough for this video. Ask for fewer frames or a smaller size, "
            "or keep the weights off the device with memory='model_offload' or "
            "memory='group_offload', or take a smaller model",
            details={"cause": text[:500]},
            code=ErrorCode.OUT_OF_MEMORY,
        )
    if any(words in text for words in LOST_DEVICE):
        return GenerationError(
            f"the device does not answer any more: {text}",
            details={"cause": text[:500]},
            code=ErrorCode.DEVICE_LOST,
        )
    return GenerationError(
        f"the model stopped: {type(error).__name__}: {text}", details={"cause": text[:500]}
    )
