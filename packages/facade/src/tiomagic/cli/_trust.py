"""Asks the user on a terminal: to accept a model's terms, and to approve downloads.

Downloads are large ones, and those of a recipe.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import typer

from tiomagic.cli._exit_codes import ExitCode
from tiomagic.display.streams import is_terminal, write

if TYPE_CHECKING:
    from tiomagic import TioMagic
    from tiomagic.cli._options import CommandRun
    from tiomagic.cli._output import Output


ASKED_BYTES: Final = 5_000_000_000
"""Larger downloads ask first, on a terminal."""


def ask_before_run(
    output: Output, tm: TioMagic, model: str, arguments: Mapping[str, object], manner: CommandRun
) -> None:
    """Ask for what a run needs the user's word for: its model's terms, and a large download."""
    ask_for_consent(output, tm, [model])
    announce_download(
        output,
        tm,
        model,
        quiet=manner.quiet,
        yes=manner.yes,
        force=manner.force,
        arguments=arguments,
    )


def ask_for_consent(output: Output, tm: TioMagic, models: Iterable[str]) -> None:
    """Ask on a terminal for the consent to the terms of models that have some.

    Who accepts types the model's name: a ``y`` that is typed out of habit, or ``--yes``, says
    nothing about terms. It holds for this command; a setting accepts for good.

    Without a terminal nothing is asked, and what is done next refuses the model.

    Args:
        output: Says whether a person reads it.
        tm: Knows what is accepted; gets what is accepted now.
        models: Names of the models that are about to be used.

    Raises:
        typer.Exit: when the answer is no.
    """
    from tiomagic_domain.catalogue import models as known  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.usecases.consent import is_accepted  # noqa: PLC0415  # The same.

    if not _can_ask(output):
        return
    for name in dict.fromkeys(models):
        card, accepted = known().get(name), tm.settings.accepted_terms
        if card is None or card.must_accept is None or is_accepted(card, accepted):
            continue
        text = f"{card.must_accept.says}\nThe whole text: {card.must_accept.link}"
        write(sys.stderr, f"The terms of {name}: {text}\nTo accept them, type {name}: ")
        if sys.stdin.readline().strip() != name:
            output.say("the terms are not accepted; nothing was done")
            raise typer.Exit(ExitCode.CANCELED)
        tm.configure(accepted_terms=[*accepted, name])
        names = ",".join((*accepted, name))
        output.say(f"accepted for this command; for all: TIOMAGIC_ACCEPTED_TERMS={names}")


def _can_ask(output: Output) -> bool:
    return is_terminal(sys.stdin) and is_terminal(sys.stderr) and not output.as_json


def announce_download(
    output: Output,
    tm: TioMagic,
    model: str,
    *,
    quiet: bool,
    yes: bool,
    force: bool,
    provider: str | None = None,
    arguments: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Say what a run downloads first, and ask on a terminal if that is much.

    Without a terminal it goes on: a script never hangs.

    Args:
        output: Says whether a person reads it.
        tm: With the provider.
        model: Its name.
        quiet: True to say nothing where nothing is asked.
        yes: True when the command line has said yes.
        force: True when the run goes on also if it cannot work.
        provider: The provider's name; None for the configured one.
        arguments: Of the call.

    Raises:
        typer.Exit: when the answer is no.
    """
    from tiomagic.api.plan import check_models  # noqa: PLC0415  # Not for --help.
    from tiomagic.display.plans import describe_weights  # noqa: PLC0415  # The same.
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # The same.
    from tiomagic_domain.catalogue.pose_parameters import FINDS_POSES  # noqa: PLC0415  # The same.
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # The same.

    card = models().get(model)
    if card is None:
        return
    try:
        needs = {FINDS_POSES: True} if card.finds_poses(arguments) else {}
        found = check_models(tm.session, [card], provider, needs)[model]
    except TioMagicError:
        return  # The run itself says what is wrong.
    if not found.fetch_bytes or not (found.can_run or force):
        return  # Nothing to fetch, or the run is refused.
    what = f"{model}: {describe_weights(found.to_dict()['weights'])}"
    if yes or not _can_ask(output) or found.fetch_bytes <= ASKED_BYTES:
        if not quiet:
            output.say(what)
        return
    write(sys.stderr, f"{what}\nDownload it now? [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        output.say("nothing was downloaded")
        raise typer.Exit(ExitCode.CANCELED)


def confirm_recipe(
    output: Output,
    tm: TioMagic,
    source: str,
    *,
    replaced: Collection[str],
    model: str | None,
    trust: bool,
) -> dict[str, Any]:
    """Return a recipe that may be used; see :func:`tiomagic.results.recipes.load_trusted_recipe`.

    Args:
        output: Says whether a person is there to be asked.
        tm: Has the jobs.
        source: A job's id, a video, or the JSON beside one.
        replaced: Arguments that the command line gives itself.
        model: The model that is to run it; None for the recipe's own.
        trust: True when the command line has said yes.

    Raises:
        ValidationError: when it may not be used.
    """
    from tiomagic.results.recipes import load_trusted_recipe  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.codes import ErrorCode  # noqa: PLC0415  # The same.
    from tiomagic_domain.errors import ValidationError  # noqa: PLC0415  # The same.

    session = tm.session
    try:
        return load_trusted_recipe(session, source, replaced=replaced, model=model, trust=trust)
    except ValidationError as error:
        if (
            error.code != ErrorCode.UNTRUSTED_WEIGHTS
            or output.as_json
            or not _is_answered(error.details["weights"])
        ):
            raise
    return load_trusted_recipe(session, source, replaced=replaced, model=model, trust=True)


def _is_answered(weights: object) -> bool:
    """Ask on a terminal; anything but a yes is a no."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return False
    lines = weights if isinstance(weights, list) else []
    shown = "".join(f"  {line}\n" for line in lines)
    write(sys.stderr, f"The recipe fetches weights that you have not named:\n{shown}")
    write(sys.stderr, "Fetch and use them? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
