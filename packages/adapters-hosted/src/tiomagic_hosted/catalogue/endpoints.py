"""How a call of one of our features is said to a vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tiomagic_domain.ports.provider import Request
from tiomagic_hosted.catalogue.prices import PriceList
from tiomagic_hosted.service import Order

Say = Callable[[Any], object]
"""Turns the value of an argument of ours into the vendor's."""


def say_as_is(value: Any) -> object:
    """Return the value."""
    return value


def derive_nothing(_request: Request) -> Mapping[str, object]:
    """Return no arguments."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A vendor's argument."""

    name: str
    say: Say = say_as_is


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What runs a feature of a model at the vendor, and the vendor's names for our arguments."""

    path: str
    names: Mapping[str, Name]
    """By our names. An argument without a name here is not sent: the vendor has none for it."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """What is sent with every call."""
    derive: Callable[[Request], Mapping[str, object]] = derive_nothing
    """Gives the vendor's arguments that follow from the whole call."""
    source: str
    """Where the names and limits come from, with the date."""
    prices: PriceList | None = None
    """What its runs cost; None where no list is known."""

    def say(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Return arguments of ours in the vendor's words."""
        return {
            theirs.name: theirs.say(arguments[ours])
            for ours, theirs in self.names.items()
            if arguments.get(ours) is not None
        }

    def build_order(self, request: Request) -> Order:
        """Return a call in the vendor's words.

        Args:
            request: With an address for each picture and video.
        """
        said = self.say({**request.job.required_args, **request.settings, **request.urls})
        derived = self.derive(request)
        return Order(endpoint=self.path, arguments={**self.fixed, **derived, **said})
