"""``tiomagic models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard


def models(
    feature: Annotated[
        str | None,
        typer.Option(help="Only models that can do this.", autocompletion=values.complete_features),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider", "-p", help="Only on this.", autocompletion=values.complete_providers
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Only models whose licence is free (any use), limited (commercial use under a "
            "condition) or research (no commercial use).",
            autocompletion=values.complete_licences,
        ),
    ] = None,
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the models and what each can do."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic import tm  # noqa: PLC0415  # Not for --help.
        from tiomagic.api.models import find_cards  # noqa: PLC0415  # The same.
        from tiomagic.wiring.registry import providers_of  # noqa: PLC0415  # The same.
        from tiomagic_domain.features import Feature  # noqa: PLC0415  # The same.

        session = tm.session
        found = find_cards(session, feature and feature.replace("-", "_"), provider, licence)
        labels = [served.label for served in Feature]
        head = ["model", *labels, "weights", "smallest GPU", "use", "licence"]
        output.table(
            [_record(card, providers_of(card)) for card in found],
            head,
            [_row(card) for card in found],
        )


def _row(card: ModelCard) -> tuple[str | None, ...]:
    from tiomagic_domain.features import Feature  # noqa: PLC0415  # Not for --help.

    return (
        card.name,
        *("x" if served in card.features else None for served in Feature),
        f"{card.weights_gib:g} GiB",
        f"{card.gpu_memory_gib:g} GiB" if card.gpu_memory_gib else "none needed",
        card.terms.use.value,
        card.licence,
    )


def _record(card: ModelCard, providers: list[str]) -> dict[str, object]:
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description,
        "features": sorted(card.features),
        "providers": sorted(providers),
        "licence": card.licence,
        "use": card.terms.use.value,
        "publishing": card.terms.publishing,
        "homepage": card.homepage,
        "repository": card.repository,
        "fps": card.fps,
        "weights_gib": card.weights_gib,
        "gpu_memory_gib": card.gpu_memory_gib,
    }
