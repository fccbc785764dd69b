"""``tiomagic download``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports.weights_keeper import WeightsKeeper


def download(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Names of models; see: tiomagic models.", autocompletion=values.complete_models
        ),
    ],
    *,
    assignments: o.Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the files and their sizes, and download none.")
    ] = False,
    accept_terms: o.AcceptTerms = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Download the weights of models, so that a run has them.

    With --set, such as quantization=Q4_K_M, only what such a run reads is downloaded.
    Ctrl-C ends it at once; what has come stays, and the next download goes on from there.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.api.models import check_settings  # noqa: PLC0415  # The same.
        from tiomagic.api.weights import find_weights_keeper  # noqa: PLC0415  # Not for --help.
        from tiomagic.cli._trust import ask_for_consent  # noqa: PLC0415  # The same.
        from tiomagic.cli._values import read_settings  # noqa: PLC0415  # The same.
        from tiomagic_domain.catalogue import find_model  # noqa: PLC0415  # The same.

        tm = connect(output, accept_terms=accept_terms)
        # All names before the first byte.
        cards = [find_model(name) for name in models]
        meant = {
            card.name: check_settings(card, read_settings(card, assignments))
            for card in cards
            if assignments
        }
        keeper = find_weights_keeper(tm.session)
        if dry_run:
            _show_files(output, keeper, cards, meant)
            return
        ask_for_consent(output, tm, [card.name for card in cards])
        places = {}
        for card in cards:
            places[card.name] = str(
                tm.download(
                    card.name,  # type: ignore[arg-type]
                    meant.get(card.name),
                    progress=not (quiet or as_json),
                )
            )
            if not quiet:
                output.say(f"{card.name}: its weights are here")
        output.data(places, "\n".join(places.values()))


def _show_files(
    output: Output,
    keeper: WeightsKeeper,
    cards: Sequence[ModelCard],
    meant: Mapping[str, Mapping[str, Any]],
) -> None:
    """Print the files of models, and what a download would fetch."""
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # Not for --help.

    found = [
        (card.name, file)
        for card in cards
        for file in keeper.list_files(card, meant.get(card.name))
    ]
    some = any(file.used_for for _, file in found)
    rows = [
        (
            describe_bytes(file.bytes_total),
            describe_bytes(file.bytes_missing) if file.bytes_missing else "here",
            file.name,
            file.source,
            *((file.used_for or None,) if some else ()),
        )
        for _, file in found
    ]
    plain = [{"model": model, **file.to_dict()} for model, file in found]
    head = ["size", "to download", "file", "from", *(["only for"] if some else [])]
    output.table(plain, head, rows, optional_columns=["from", "only for"])
    total = sum(file.bytes_total for _, file in found)
    missing = sum(file.bytes_missing for _, file in found)
    output.say(f"{describe_bytes(missing)} to download, of {describe_bytes(total)}")
