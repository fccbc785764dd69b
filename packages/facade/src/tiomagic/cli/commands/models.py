"""``tiomagic models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli.completion import values
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiomagic import TioMagic
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.preflight.preflight import Preflight


def models(
    feature: Annotated[
        str | None,
        typer.Option(
            help="Show only models that can do this.", autocompletion=values.complete_features
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            "-p",
            help="Show only models that run there.",
            autocompletion=values.complete_providers,
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Show only models with this licence: free (any use), limited (commercial use "
            "under a condition) or research (no commercial use).",
            autocompletion=values.complete_licences,
        ),
    ] = None,
    gpu: Annotated[
        float | None,
        typer.Option(
            metavar="GIB", min=0, help="Show only models that a GPU with so much memory can run."
        ),
    ] = None,
    *,
    here: Annotated[
        bool, typer.Option("--here", help="Show only models whose weights are on this machine.")
    ] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the models: what fits, what is here, how large.

    Those that fit come first, then the small before the large.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic import tm  # noqa: PLC0415  # Not for --help.
        from tiomagic.api.models import find_cards  # noqa: PLC0415  # Not for --help.

        cards = find_cards(tm.session, feature, provider, licence)
        found = _preflights(output, tm, cards, provider)
        if gpu is not None:
            cards = [card for card in cards if card.gpu_memory_gib <= gpu]
        if here:
            cards = [card for card in cards if _is_here(found.get(card.name))]
        _show(output, cards, found, _prices(tm, cards, provider))


def _show(
    output: Output,
    cards: list[ModelCard],
    found: Mapping[str, Preflight],
    prices: Mapping[str, str],
) -> None:
    """Print a line a model, what fits best first."""
    from tiomagic.display.plans import describe_place  # noqa: PLC0415  # Not for --help.
    from tiomagic.wiring.registry import providers_of  # noqa: PLC0415  # The same.

    cards = sorted(cards, key=lambda card: _rank(card, found.get(card.name)))
    hosted = bool(cards) and not any(card.weights_gib for card in cards)
    records = [
        {
            **_record(card, providers_of(card), found.get(card.name)),
            "price": prices.get(card.name),
        }
        for card in cards
    ]
    if hosted:
        rows = [_hosted_row(card, prices.get(card.name)) for card in cards]
        output.table(records, HOSTED, rows, optional_columns=["can do", "licence"])
        output.say("price: by the vendor's list; of one run, with the day of the price: --dry-run")
        return
    output.table(
        records,
        LOCAL,
        [_row(card, found.get(card.name)) for card in cards],
        optional_columns=["can do", "licence", "GPU"],
    )
    told = next(iter(found.values()), None)
    if told is not None:
        output.say(f"fits: {describe_place(told.to_dict())}; the plan of a run: --dry-run")


def _preflights(
    output: Output, tm: TioMagic, cards: list[ModelCard], provider: str | None
) -> dict[str, Preflight]:
    """Return what a run of each model would take; nothing where the provider cannot be asked."""
    from tiomagic.api.plan import check_models  # noqa: PLC0415  # Not for --help.
    from tiomagic.wiring.registry import providers_of  # noqa: PLC0415  # The same.
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # The same.

    asked = provider or tm.settings.provider or DEFAULT_PROVIDER
    try:
        return check_models(tm.session, [c for c in cards if asked in providers_of(c)], asked)
    except TioMagicError as error:
        output.say(f"what fits is not known: {error.message}")
        return {}


def _prices(tm: TioMagic, cards: list[ModelCard], provider: str | None) -> dict[str, str]:
    """Return what runs of models cost by the provider's list; empty where it has none."""
    from tiomagic.display.prices import describe_listed_prices  # noqa: PLC0415  # Not for --help.
    from tiomagic.wiring.registry import providers_of  # noqa: PLC0415  # The same.
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # The same.

    asked = provider or tm.settings.provider or DEFAULT_PROVIDER
    try:
        able = tm.session.provider(asked)
    except TioMagicError:
        return {}  # What is wrong is said where the preflight asks.
    said = {
        card.name: describe_listed_prices(
            price for feature in card.features for price in able.list_prices(card, feature)
        )
        for card in cards
        if asked in providers_of(card)
    }
    return {name: price for name, price in said.items() if price is not None}


def _is_here(found: Preflight | None) -> bool:
    return found is not None and bool(found.is_here)


def _rank(card: ModelCard, found: Preflight | None) -> tuple[int, float, str]:
    order = ["fits", "slow", "unknown", "no"]
    place = len(order) if found is None else order.index(found.fit.value)
    return place, card.weights_gib, card.name


FIT_WORDS: Final = {"fits": "yes", "slow": "slow", "no": "no", "unknown": "?"}


LOCAL: Final = ("model", "fits", "here", "GiB", "use", "GPU", "can do", "licence")
HOSTED: Final = ("model", "price", "use", "can do", "licence")
"""Columns of models that run on a machine of one's own, and of those that a vendor runs."""


def _row(card: ModelCard, found: Preflight | None) -> tuple[str | None, ...]:
    weights = None if found is None else found.conditions.weights
    is_here = None
    if weights is not None and weights.here_bytes:
        is_here = "yes" if not weights.fetch_bytes else "part"
    return (
        card.name,
        "" if found is None else FIT_WORDS[found.fit.value],
        is_here,
        f"{card.weights_gib:.2g}" if card.weights_gib < 1 else f"{card.weights_gib:.1f}",
        card.terms.use.value,
        f"{card.gpu_memory_gib:g} GiB" if card.gpu_memory_gib else "none",
        " ".join(_abilities(card)),
        _licence(card),
    )


def _hosted_row(card: ModelCard, price: str | None) -> tuple[str, ...]:
    abilities = " ".join(_abilities(card))
    return card.name, price or "not known", card.terms.use.value, abilities, _licence(card)


def _licence(card: ModelCard) -> str:
    return card.licence + ("; to be accepted by its name" if card.must_accept is not None else "")


def _abilities(card: ModelCard) -> list[str]:
    """Return in a word each what a model can do."""
    words = [served.value.partition("_")[0] for served in card.features]
    return [*words, *(["keyframes"] if card.takes_keyframes else [])]


def _record(card: ModelCard, providers: list[str], found: Preflight | None) -> dict[str, object]:
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description,
        "features": sorted(card.features),
        "takes_keyframes": card.takes_keyframes,
        "has_free_ends": card.has_free_ends,
        "takes_last_alone": card.takes_last_alone,
        "providers": sorted(providers),
        "licence": card.licence,
        "use": card.terms.use.value,
        "publishing": card.terms.publishing,
        "terms": card.must_accept and card.must_accept.to_dict(),
        "homepage": card.homepage,
        "repository": card.repository,
        "fps": card.fps,
        "weights_gib": card.weights_gib,
        "gpu_memory_gib": card.gpu_memory_gib,
        "fits_here": None if found is None else found.fit.value,
        "is_here": None if found is None else found.is_here,
        "preflight": None if found is None else found.to_dict(),
    }
