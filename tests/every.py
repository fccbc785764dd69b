"""One test for all models in place of an item for each: a shorter report that says as much."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.schema.parameter import Parameter

if TYPE_CHECKING:
    import pytest


def for_each(cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make one test of a check: it goes on after a case that fails, and names each that does.

    Args:
        cases: What the check takes: its only argument, or a tuple of all of them.
    """
    cases = list(cases)
    assert cases

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        def test(subtests: pytest.Subtests) -> None:
            for case in cases:
                arguments = case if isinstance(case, tuple) else (case,)
                with subtests.test(" ".join(name_of(argument) for argument in arguments)):
                    check(*arguments)

        test.__doc__ = check.__doc__
        return test

    return decorate


def name_of(argument: object) -> str:
    """Return the name of a card or a parameter, and anything else as it is."""
    return str(argument.name if isinstance(argument, ModelCard | Parameter) else argument)
