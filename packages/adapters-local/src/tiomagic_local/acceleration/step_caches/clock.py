"""The clock of a run's steps: which step a pass belongs to, and how much noise it begins with.

Caches need it, and most pipelines say it to none. It is read from the transformer's own argument
``timestep``, 0-1000 in every family, so that all pipelines, modular ones and both experts of a pair
have one clock. A timestep that rises begins a new section, whose steps share nothing with the last.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

TIMESTEPS = 1000.0
"""The timestep of pure noise."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a pass is in the run."""

    index: int
    """The step within its section, from 0."""
    noise: float
    """The noise that it begins with, 1 to 0."""
    before: float
    """The noise of the step before; its own in the first step."""
    begins: bool
    """True in the first step of a section."""


class StepClock:
    """Counts the steps of each pass: with the prompt, with the negative prompt, or both."""

    def __init__(self) -> None:
        self._moments: dict[str, Moment] = {}

    def advance(self, name: str, noise: float) -> Moment:
        """Return the moment of a pass that begins now.

        Args:
            name: Of the pass, as its pipeline says it.
            noise: That it begins with, 1 to 0.
        """
        last = self._moments.get(name)
        begins = last is None or noise > last.noise
        if last is None or begins:
            moment = Moment(0, noise, noise, begins=True)
        else:
            moment = Moment(last.index + 1, noise, last.noise, begins=False)
        self._moments[name] = moment
        return moment

    def moment(self, name: str) -> Moment:
        """Return the moment of the pass that runs now."""
        return self._moments[name]


def read_noise(part: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> float:
    """Return the noise that a call of a transformer begins with, 1 to 0.

    Args:
        part: The transformer.
        given: The arguments of the call.
        named: Those by name.
    """
    timestep = named.get("timestep")
    if timestep is None:
        names = list(inspect.signature(type(part).forward).parameters)[1:]
        timestep = dict(zip(names, given, strict=False)).get("timestep")
    # Frames that are given have none; the others share theirs.
    return float(torch.as_tensor(timestep).max()) / TIMESTEPS
