"""Asks the user on a terminal to approve downloads that a recipe would make."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from tiomagic.display.streams import is_terminal, write

if TYPE_CHECKING:
    from tiomagic import TioMagic
    from tiomagic.cli._output import Output


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
