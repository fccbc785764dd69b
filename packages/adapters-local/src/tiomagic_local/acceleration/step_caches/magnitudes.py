"""The calibration of a model for MagCache: the size of its blocks' residual by the noise.

The sizes of two steps have a ratio that hardly depends on the prompt. It is kept as the logarithm
of the size along the noise, so that any two levels have their ratio: for every number of steps and
every schedule. One small JSON file holds it::

    doodle                comes with the weights, in magnitudes.json beside them
    any other model       measured on this machine by ``python -m tiomagic_local.calibrate MODEL``,
                          and kept beside the hub's cache
"""

from __future__ import annotations

import itertools
import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.files.replacing import replacing
from tiomagic_local.torch_env.machine import hub_cache
from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

FILE: Final = "magnitudes.json"
"""The calibration in a folder of weights."""
FOLDER: Final = "tiomagic-calibrations"
"""The calibrations of all models, in a folder beside the hub's."""


@dataclass(frozen=True, slots=True)
class MagnitudeCurve:
    """The size of a transformer's residual along the noise."""

    noise: tuple[float, ...]
    """Rising, 0 to 1; at least two."""
    log_size: tuple[float, ...]
    """The natural logarithm of the size at each, up to a constant."""

    def ratio(self, before: float, now: float) -> float:
        """Return the size at one noise level as a multiple of that at another.

        Args:
            before: Of the step before.
            now: Of this step.
        """
        return math.exp(self._at(now) - self._at(before))

    def _at(self, noise: float) -> float:
        """Return the logarithm of the size: linear between the levels, constant beyond them."""
        if noise <= self.noise[0]:
            return self.log_size[0]
        if noise >= self.noise[-1]:
            return self.log_size[-1]
        right = bisect_left(self.noise, noise)
        low, high = self.noise[right - 1], self.noise[right]
        share = (noise - low) / (high - low)
        return (1 - share) * self.log_size[right - 1] + share * self.log_size[right]


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitudes:
    """The calibration of one model."""

    curves: Mapping[str, MagnitudeCurve]
    """Of each transformer, by its name in the pipeline."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it was measured on: the number of videos and steps, and their spread."""

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all.

        Raises:
            OSError: when it cannot be written.
        """
        curves = {
            name: {
                "noise": [round(one, 5) for one in curve.noise],
                "log_size": [round(one, 5) for one in curve.log_size],
            }
            for name, curve in self.curves.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as part:
            plain = {"curves": curves, "facts": dict(self.facts)}
            part.write_text(json.dumps(plain) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Magnitudes | None:
        """Return that of a file; None when it is not there, or no such file."""
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            curves = {str(name): _curve(one) for name, one in plain["curves"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        facts = plain.get("facts")
        return cls(curves=curves, facts=facts if isinstance(facts, dict) else {})


def _curve(plain: Mapping[str, Any]) -> MagnitudeCurve:
    noise = tuple(float(one) for one in plain["noise"])
    sizes = tuple(float(one) for one in plain["log_size"])
    rises = all(low < high for low, high in itertools.pairwise(noise))
    if not (rises and 2 <= len(noise) == len(sizes) and all(map(math.isfinite, (*noise, *sizes)))):
        raise ValueError("no curve")
    return MagnitudeCurve(noise, sizes)


def measured_file(model: str) -> Path:
    """Return the file of a model's calibration on this machine, which may not be there."""
    return hub_cache().parent / FOLDER / f"{model}.json"


def find_curves(model: str) -> Mapping[str, MagnitudeCurve]:
    """Return the curves of a model's transformers; empty when this machine has none.

    What the user has measured comes before what the package has.

    Args:
        model: Its name.
    """
    for path in (measured_file(model), PACKAGED_WEIGHTS_DIR / model / FILE):
        found = Magnitudes.load(path) if model else None
        if found is not None:
            return found.curves
    return {}
