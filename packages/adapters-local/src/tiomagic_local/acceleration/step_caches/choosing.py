"""Chooses the step cache of a run: the one that was asked for, or the best that works for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tiomagic_domain.errors import ValidationError
from tiomagic_local.acceleration.components import acceleration_error
from tiomagic_local.acceleration.step_caches.activate import KINDS, cacheable
from tiomagic_local.acceleration.step_caches.kinds import CacheRun
from tiomagic_local.acceleration.step_caches.mag import describe_missing
from tiomagic_local.acceleration.step_caches.magnitudes import find_curves


def check_caches(caches: Mapping[str, float], model: str) -> None:
    """Raise for a cache that was asked for and lacks its calibration, before anything is loaded.

    Args:
        caches: The caches to try; of several, another one will do.
        model: Its name.

    Raises:
        ValidationError: with the command that calibrates the model.
    """
    if list(caches) == ["mag"] and not find_curves(model):
        raise _refusal("mag", describe_missing(model))


def choose_cache(
    pipeline: Any, caches: Mapping[str, float], run: CacheRun
) -> tuple[str, CacheRun, str | None]:
    """Return the first cache that works, its run, and why none before it was taken.

    Args:
        pipeline: Loaded.
        caches: The caches to try, in their order, each with its threshold or interval.
        run: What a cache knows of the run.

    Raises:
        ValidationError: when none works, with the reason of the first and what does.
    """
    parts = cacheable(pipeline)
    reasons: dict[str, str] = {}
    for kind, level in caches.items():
        why = KINDS[kind].why_not(run, parts)
        if why is None:
            return kind, replace(run, level=level), _said(reasons)
        reasons[kind] = why
    kind, why = next(iter(reasons.items()))
    raise _refusal(kind, why)


def _refusal(kind: str, why: str) -> ValidationError:
    message = f"cache {kind!r} does not work here: {why}; 'best' takes what does"
    return acceleration_error(message, given=kind)


def _said(reasons: Mapping[str, str]) -> str | None:
    return "; ".join(f"not {kind}: {why}" for kind, why in reasons.items()) or None
