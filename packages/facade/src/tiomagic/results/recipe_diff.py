"""Compares a recipe's run with the run that repeated it: versions, weights, device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

COMPARED_FACTS: Final = ("device", "dtype", "memory", "weights", "quantization")
"""The facts that decide how a seed becomes frames; a dict's entries are compared one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that was not the same."""

    name: str
    """Such as ``device``, ``weights.revision``, ``versions.torch`` or ``provider``."""
    before: object
    """The recipe's value, or None."""
    after: object
    """The new run's value, or None."""

    def to_dict(self) -> dict[str, object]:
        """Return the difference as plain data."""
        return {"name": self.name, "before": self.before, "after": self.after}

    def __str__(self) -> str:
        """Return one line, such as ``versions.torch: 2.8.0 before, 2.9.1 now``."""
        before, after = (_format_value(side) for side in (self.before, self.after))
        return f"{self.name}: {before} before, {after} now"


def diff_recipes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return the differences between the runs of two recipes, by name; arguments are ignored.

    Args:
        before: A recipe, or the same fields of a stored job.
        after: Another.
    """
    first, second = dict(_run(before)), dict(_run(after))
    # A hosted job has no versions of its own: then there is nothing to compare them with.
    for one, other in ((first, second), (second, first)):
        if not any(name.startswith("versions.") for name in one):
            for name in [name for name in other if name.startswith("versions.")]:
                del other[name]
    return [
        Difference(name=name, before=first.get(name), after=second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _run(recipe: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the facts of a recipe about its run, by name."""
    facts, versions = recipe.get("facts"), recipe.get("versions")
    facts = facts if isinstance(facts, dict) else {}
    yield "provider", recipe.get("provider")
    # A stored job has its versions among its facts.
    yield from _flat("versions", versions or facts.get("versions"))
    for name in COMPARED_FACTS:
        yield from _flat(name, facts.get(name))


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{name}.{key}", part)
    elif value is not None:
        yield name, value


def _format_value(value: object) -> object:
    return "not known" if value is None else value
