"""``tiomagic weights``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values
from tiomagic.display.streams import is_terminal, write

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports.weights_keeper import KeptWeights, VerifiedFile, WeightsKeeper


class WeightsAction(StrEnum):
    """What is done with weights."""

    LIST = "list"
    REMOVE = "remove"
    VERIFY = "verify"


def weights(
    action: Annotated[
        WeightsAction,
        typer.Argument(
            help="list: what is here, with sizes. remove: free the disk. verify: read the files "
            "and compare their digests to the hub's; a damaged one is fetched again next time."
        ),
    ] = WeightsAction.LIST,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of models; verify takes all of them if you name none.",
            autocompletion=values.complete_models,
        ),
    ] = None,
    *,
    made: Annotated[
        bool,
        typer.Option(
            "--made",
            help="remove: only the smaller weights that quantization has made, of the models that "
            "you name, or all. The next run makes them again.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without a question.")] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List downloaded weights, remove or verify them."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.api.weights import find_weights_keeper  # noqa: PLC0415  # Not for --help.
        from tiomagic_domain.catalogue import find_model  # noqa: PLC0415  # The same.
        from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # The same.

        keeper = find_weights_keeper(connect(output).session)
        cards = [find_model(name) for name in models or ()]
        if made and action is not WeightsAction.REMOVE:
            raise typer.BadParameter("goes with remove", param_hint="--made")
        if made:
            freed = keeper.remove_made(cards)
            text = f"{describe_bytes(freed)} of weights in fewer bits removed"
            output.data({"bytes_freed": freed}, text if freed else "nothing to remove")
        elif action is WeightsAction.REMOVE:
            _remove(output, keeper, cards, yes=yes)
        elif action is WeightsAction.VERIFY:
            _verify(output, keeper, cards)
        else:
            _list(output, keeper, {card.name for card in cards})


def _list(output: Output, keeper: WeightsKeeper, names: set[str]) -> None:
    """Print what is here."""
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # Not for --help.

    found = keeper.list_stored()
    shown = [each for each in found.models if not names or each.model in names]
    rows = [
        (
            each.model,
            describe_bytes(each.bytes_here),
            describe_bytes(each.own_bytes),
            describe_bytes(each.bytes_missing) if each.bytes_missing else None,
            ", ".join(each.shared_with) or None,
            ", ".join(each.sources) or str(each.place),
        )
        for each in shown
    ]
    head = ["model", "here", "its own", "missing", "shared with", "from"]
    if output.as_json:
        output.data(found.to_dict(), "")
    elif shown:
        output.table(None, head, rows, optional_columns=["from", "shared with"])
    else:
        output.say("no weights of models are here: tiomagic download MODEL fetches some")
    for line in _explain(shown):
        output.say(line)
    if shown:
        places = sorted({str(each.place) for each in shown})
        output.say(f"{describe_bytes(found.bytes_total)} on the disk, in {', '.join(places)}")
    for one in found.made:
        source = one.source or one.place.name
        output.say(f"made in {one.format} from {source}: {describe_bytes(one.bytes_here)}")
    if found.bytes_abandoned:
        left = describe_bytes(found.bytes_abandoned)
        output.say(f"{left} left by runs that ended while they made weights in fewer bits")
    size = sum(one.bytes_here for one in found.made) + found.bytes_abandoned
    if size:
        output.say(f"tiomagic weights remove --made frees {describe_bytes(size)}")


def _explain(shown: list[KeptWeights]) -> list[str]:
    """Return a line for each group of models that share files."""
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # Not for --help.

    groups = {frozenset({each.model, *each.shared_with}): each for each in shown}
    return [
        f"{' and '.join(sorted(group))} share {describe_bytes(each.bytes_here - each.own_bytes)}"
        f"{' of ' + ', '.join(each.shared_parts) if each.shared_parts else ''}, which counts once"
        for group, each in groups.items()
        if len(group) > 1
    ]


def _remove(output: Output, keeper: WeightsKeeper, cards: list[ModelCard], *, yes: bool) -> None:
    """Remove the weights of models, after a question.

    Raises:
        typer.Exit: when the answer is no.
    """
    from tiomagic_domain.errors import ResourceNotFoundError  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # The same.

    if not cards:
        raise typer.BadParameter("say of which model", param_hint="MODELS")
    names = [card.name for card in cards]
    stored = {each.model: each for each in keeper.list_stored().models}
    absent = [name for name in names if name not in stored]
    if absent:
        raise ResourceNotFoundError(
            f"no weights of {', '.join(absent)} are here; see: tiomagic weights"
        )
    if not yes:
        _ask([stored[name] for name in names])
    removed = keeper.remove(cards)
    text = f"removed {', '.join(names)}: {describe_bytes(removed.bytes_freed)} are free"
    if removed.kept_for:
        kept = describe_bytes(removed.bytes_kept)
        text += f"; {kept} stay, which {', '.join(removed.kept_for)} needs"
    output.data(removed.to_dict(), text)


def _ask(stored: list[KeptWeights]) -> None:
    """Ask on a terminal; say what other models share, which may stay.

    Raises:
        BadParameter: without a terminal to ask on.
        typer.Exit: when the answer is no.
    """
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # Not for --help.

    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise typer.BadParameter("there is no terminal to ask on: add --yes", param_hint="--yes")
    names = ", ".join(each.model for each in stored)
    size, own = sum(each.bytes_here for each in stored), sum(each.own_bytes for each in stored)
    what = f"the weights of {names}, {describe_bytes(size)}"
    if others := sorted({name for each in stored for name in each.shared_with}):
        what += f" ({describe_bytes(size - own)} shared with {', '.join(others)})"
    write(sys.stderr, f"Remove {what}? [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        write(sys.stderr, "nothing was removed\n")
        raise typer.Exit(ExitCode.CANCELED)


def _verify(output: Output, keeper: WeightsKeeper, cards: list[ModelCard]) -> None:
    """Read files and compare them to their digests.

    Raises:
        typer.Exit: when one is damaged.
    """
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.quantities import describe_bytes  # noqa: PLC0415  # The same.

    stored = {each.model: each for each in keeper.list_stored().models}
    wanted = cards or [card for card in models().values() if card.name in stored]
    found: list[VerifiedFile] = []
    for card in wanted:
        if card.name in stored:
            output.say(f"reading the weights of {card.name}")
        found += keeper.verify([card])
    damaged = [file for file in found if not file.is_intact]
    lines = [f"{file.model}: {file.name} is damaged" for file in damaged]
    if damaged:
        files = "1 damaged file" if len(damaged) == 1 else f"{len(damaged)} damaged files"
        again = "it" if len(damaged) == 1 else "them"
        lines.append(f"removed {files}; the next download fetches {again} again")
    else:
        lines.append(
            f"{len(found)} {'file is' if len(found) == 1 else 'files are'} what the hub lists"
        )
        lines += [
            f"{name}: {describe_bytes(stored[name].bytes_missing)} are missing; the next download "
            "fetches them"
            for name in (card.name for card in wanted)
            if name in stored and stored[name].bytes_missing
        ]
    output.data([file.to_dict() for file in found], "\n".join(lines))
    if damaged:
        raise typer.Exit(ExitCode.FAILED)
