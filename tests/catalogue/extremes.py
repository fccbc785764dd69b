"""The smallest and the largest legal call of a model, made from nothing but its schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tiomagic_domain.catalogue import ModelCard, models, shipped_engines
from tiomagic_domain.catalogue.continuation import LOOP_ARGUMENT
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.keyframes import FIRST, LAST
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.schema.schema import ExactlyOne, Schema, WithinVideo
from tiomagic_domain.weights.repositories import BITS

COSTLY_PARAMETERS = (("height",), ("width", "num_inference_steps"), ("num_frames",))
"""What a call is long for. The largest of one is tried with the smallest of the others: all of them
at once takes a day on a tiny model too, and even the two sides together some twenty seconds. Many
steps of one row of pixels take little more than of one pixel, and are tried with it."""

TALL_FRAME = 10_000
"""Pixels of the smallest legal frame from which a row is too many of them for many steps: sides and
steps are tried one by one."""
TALL_FRAME_TOGETHER = (("height",), ("width",), ("num_inference_steps",), ("num_frames",))
LARGE_FRAME = 250_000
"""Pixels of the smallest legal frame from which a call is long as it is: the models whose authors
make a few sizes alone. A few steps and the second shortest length are tried with them, in place of
a hundred and of the longest, which would take many minutes and show nothing that is not shown by
the other models of their pipelines."""
LARGE_FRAME_TOGETHER = (("height",), ("width", "num_inference_steps", "num_frames"))
"""What is tried at once with them: the second shortest length takes as long as the shortest."""
LONGEST_CLIP = 2_000_000
"""Pixels of all frames of the longest clip that is tried with the smallest frame: half a minute of
64x64."""
SOME_PIECES = 650_000
"""The same for a model that makes longer ones: of more pieces of the same kind, of which this is
at least two."""
FEW_STEPS = 2
ONE_LARGE_CALL = 300_000
"""Pixels from which one large call is all that is tried."""

SAMPLES: Mapping[Kind, object] = {
    Kind.STRING: "a fox",
    Kind.IMAGE: "fox.png",
    Kind.VIDEO: "walk.mp4",
}

CARDS = [card for card in models().values() if card.engine in shipped_engines()]
"""The models that run here; those of a vendor have no pipeline."""
CASES = [(card, feature) for card in CARDS for feature in card.features]
"""Each of them with every feature that it serves."""


def name_of(value: object) -> str:
    """Return the name of a part of a case, for the test's id."""
    return value.name if isinstance(value, ModelCard) else str(value)


Case = tuple[ModelCard, Feature]


def one_of_each(
    cases: Iterable[Case], by: Callable[[ModelCard, Feature], object] = lambda card, _: card.engine
) -> list[Case]:
    """Return one case of each sort: the one whose smallest video has the fewest pixels.

    Args:
        cases: Of which sorts, and to choose from.
        by: Says of what sort a case is: by its engine if nothing else is said.
    """
    by_size = sorted(cases, key=lambda case: count_pixels(*case), reverse=True)
    return list({by(*case): case for case in by_size}.values())


def count_pixels(card: ModelCard, feature: Feature) -> int:
    """Return the pixels of all frames of a model's smallest video."""
    numbers = smallest(card.schema(feature))
    return int(numbers["width"] * numbers["height"] * numbers["num_frames"])


def inputs_of(schema: Schema) -> dict[str, object]:
    """Return the least that a call must have.

    That is the required arguments, both ends where they may be left out, and one of those that
    exclude each other.
    """
    needed = {parameter.name for parameter in schema.required}
    needed |= {FIRST, LAST} if schema.takes_last_alone else set()
    # Skeletons come last, and need no network that finds them.
    needed |= {rule.names[-1] for rule in schema.rules if isinstance(rule, ExactlyOne)}
    return {p.name: SAMPLES[p.kind] for p in schema.parameters if p.name in needed}


def is_number(parameter: Parameter) -> bool:
    """Say whether a parameter is a number with limits."""
    return parameter.kind in {Kind.INTEGER, Kind.NUMBER} and parameter.minimum is not None


def limits_of(parameter: Parameter) -> tuple[Any, Any]:
    """Return the smallest and the largest legal value of a number."""
    assert parameter.minimum is not None
    assert parameter.maximum is not None, f"{parameter.name} has no largest value"
    if parameter.multiple_of is not None:
        values = parameter.legal_values()
        return values[0], values[-1]
    if parameter.kind is Kind.INTEGER:
        return int(parameter.minimum), int(parameter.maximum)
    return float(parameter.minimum), float(parameter.maximum)


def calls(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the settings of each extreme call, with a name."""
    yield "smallest", smallest(schema)
    yield from large_calls(schema)


def large_calls(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the settings of each call with something costly in it, with a name.

    The first one has the last of all choices, every switch on and all that costs nothing at its
    upper end; the others have the first, none, and what costs nothing at its lower end. So all
    values of the smallest call are in one of them.
    """
    choice = -1
    frame = math.prod(_smallest_sides(schema))
    for together in _choose_groups(frame):
        # A number that is fixed is at its largest in every call.
        # One that is not taken further than its smallest value would be the smallest call again.
        names = [n for n in together if n in schema and _goes_anywhere(schema, n)]
        if names:
            yield f"largest {' and '.join(names)}", largest(schema, *names, choice=choice)
            choice = 0
            if frame >= ONE_LARGE_CALL:
                return


def _choose_groups(frame: int) -> tuple[tuple[str, ...], ...]:
    """Return which costly numbers are tried at once, for a smallest frame of so many pixels."""
    if LARGE_FRAME <= frame < ONE_LARGE_CALL:
        return LARGE_FRAME_TOGETHER
    return TALL_FRAME_TOGETHER if TALL_FRAME <= frame < LARGE_FRAME else COSTLY_PARAMETERS


def _goes_anywhere(schema: Schema, name: str) -> bool:
    low, high = limits_of(schema[name])
    return bool(_reached(schema, schema[name], high) != low)


def smallest(schema: Schema) -> dict[str, Any]:
    """Return the settings of the smallest legal call: every number at its lower end."""
    return _settings(schema, {p.name: limits_of(p)[0] for p in schema.optional if is_number(p)}, 0)


def largest(schema: Schema, *names: str, choice: int = -1) -> dict[str, Any]:
    """Return a legal call with numbers at their upper ends.

    Args:
        schema: Of the model.
        names: Those of the costly numbers that are; the others are as small as can be.
        choice: The place of the choice to take of each that has some; 0 leaves switches off, and
            numbers that cost nothing at their lower ends.
    """
    numbers = {}
    costly = {name for together in COSTLY_PARAMETERS for name in together}
    for parameter in filter(is_number, schema.optional):
        low, high = limits_of(parameter)
        small = parameter.name not in names if parameter.name in costly else choice == 0
        numbers[parameter.name] = low if small else _reached(schema, parameter, high)
    return _settings(schema, numbers, choice)


def _smallest_sides(schema: Schema) -> list[int]:
    return [limits_of(schema[name])[0] for name in ("width", "height") if name in schema]


def _reached(schema: Schema, parameter: Parameter, high: Any) -> Any:
    """Return how far a number is taken: to its upper end, unless the smallest frame is large."""
    sides = _smallest_sides(schema)
    if math.prod(sides) < LARGE_FRAME:
        if parameter.name != "num_frames":
            return high
        lengths, frame = parameter.legal_values(), math.prod(sides)
        most = (LONGEST_CLIP if lengths[-1] * frame <= LONGEST_CLIP else SOME_PIECES) // frame
        return max((value for value in lengths if value <= most), default=lengths[0])
    if parameter.name == "num_inference_steps":
        return FEW_STEPS
    if parameter.name == "num_frames":
        return parameter.legal_values()[1]
    return high


def _choices(parameter: Parameter) -> list[object]:
    # Formats of files that others have made need the hub; tests/local/quantized has small ones.
    return [choice for choice in parameter.choices if choice not in BITS]


def _settings(schema: Schema, numbers: Mapping[str, Any], choice: int) -> dict[str, Any]:
    plain = [p for p in schema.optional if not p.kind.is_media]
    settings = {p.name: p.default for p in plain if p.default is not UNSET}
    settings |= {p.name: _choices(p)[choice] for p in plain if p.choices and p.name not in numbers}
    switches = (p for p in plain if p.kind is Kind.BOOLEAN and p.name != LOOP_ARGUMENT)
    settings |= {p.name: bool(choice) for p in switches}
    settings |= dict(numbers)
    for rule in schema.rules:
        if isinstance(rule, WithinVideo):
            last = rule.last(settings[rule.frames])
            settings[rule.position] = min(settings[rule.position], last)
    return settings
