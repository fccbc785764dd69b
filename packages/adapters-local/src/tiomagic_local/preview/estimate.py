"""The estimate of the finished latents: what the latents after a step would become without noise.

The latents themselves are almost pure noise for half of a run, and a picture of them says nothing.

====================================  ========================================================
scheduler                             where the estimate comes from
====================================  ========================================================
keeps what it predicted (UniPC, DPM)  ``model_outputs[-1]``, the newest prediction
``keep_estimate`` (CogVideoX)         ``estimate``, the second result of its step
steps along a flow (Euler)            the line through the latents before and after the step
any other                             the latents after the step
====================================  ========================================================
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

Project = Callable[[torch.Tensor], torch.Tensor]
"""A linear map of latents, such as the one to the colours of a few frames."""


def keep_estimate(kind: Any) -> Any:
    """Return a kind of scheduler that keeps the second result of its step in ``estimate``.

    A subclass and not a function on an instance: pipelines copy schedulers, and read the arguments
    of ``step`` from its signature.

    Args:
        kind: Its step returns the next latents and the predicted ones.
    """
    original = kind.step

    @functools.wraps(original)
    def step(self: Any, *given: Any, **rest: Any) -> Any:
        result = original(self, *given, **rest)
        self.estimate = result[1] if isinstance(result, tuple) and len(result) > 1 else None
        return result

    return type(kind.__name__, (kind,), {"step": step, "estimate": None})


def find_estimate(scheduler: Any, like: torch.Tensor) -> torch.Tensor | None:
    """Return what a scheduler has predicted in its last step; None where it keeps nothing.

    Args:
        scheduler: After its step.
        like: The latents after the step; the prediction has their shape.
    """
    kept = getattr(scheduler, "estimate", None)
    if kept is None and _predicts_the_end(scheduler):
        outputs = getattr(scheduler, "model_outputs", None)
        kept = outputs[-1] if outputs else None
    if not isinstance(kept, torch.Tensor) or kept.shape != like.shape:
        return None
    return kept


def _predicts_the_end(scheduler: Any) -> bool:
    config = scheduler.config
    kind = str(config.get("algorithm_type", ""))
    return bool(config.get("predict_x0", False)) or kind.endswith("dpmsolver++")


def follow_line(scheduler: Any, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor | None:
    """Return where the line of a step along a flow ends; None where there is no such line.

    Args:
        scheduler: After its step.
        before: A linear map of the latents before the step.
        after: The same map of those after it.
    """
    sigmas, index = getattr(scheduler, "sigmas", None), getattr(scheduler, "step_index", None)
    if sigmas is None or not index or index >= len(sigmas) or before.shape != after.shape:
        return None
    # On the device of the latents: to read a number from there would wait for all that runs.
    start, end = (sigmas[at].to(after.device, after.dtype) for at in (index - 1, index))
    line: torch.Tensor = after + (after - before) * end / (start - end)
    return line
