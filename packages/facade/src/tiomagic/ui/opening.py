"""Takes the settings of a video dropped on the page.

The recipe may come from anybody. It fills a form, which runs nothing, and never with what the
visitor has not named: weights of others and paths are left out, and the page says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiomagic.results.recipes import load_trusted_recipe
from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.schema.nested_media import argument_of

if TYPE_CHECKING:
    from pathlib import Path

    from tiomagic.ui.choosing import FormChooser, FormState
    from tiomagic.ui.web.uploads import FormFile
    from tiomagic.wiring.session import Session

WEIGHT_ARGUMENTS = ("loras", "revisions", "weights")
"""Arguments that select weights."""


def open_video(
    session: Session, chooser: FormChooser, file: FormFile | None
) -> tuple[FormState, list[str]]:
    """Return a choice whose form has the settings of a video, and what was left out.

    Args:
        session: With the jobs.
        chooser: Makes the choice.
        file: The upload; None if it is not here any more.

    Raises:
        ValidationError: when it has no recipe that can be used.
    """
    if file is None:
        raise ValidationError("the file is not here any more: drop it again")
    try:
        recipe, notes = _read(session, file.path)
        feature = find_feature(str(recipe["feature"]))
    except TioMagicError as error:
        # A visitor sees the name of the file once, and not where it lies on this machine.
        message = error.message
        for called in (repr(str(file.path)), str(file.path), repr(file.name)):
            message = message.replace(called, "it")
        raise ValidationError(
            f"{file.name} has no settings to take: {message}", code=error.code
        ) from error
    arguments = {**recipe["required_args"], **recipe["optional_args"]}
    values, first = chooser.values_of(recipe), chooser.first_choices_of(recipe)
    choice = chooser.choose(
        str(recipe["provider"]), feature.value, str(recipe["model"]), values, first
    )
    if choice["model"] != recipe["model"]:
        notes.append(f"{recipe['model']} cannot be chosen here; this is {choice['model']}.")
    goes_on = arguments.get(CONTINUED_VIDEO_ARGUMENT) is not None
    # Of a video to continue the picture is the end.
    wanted = {n: value for n, value in arguments.items() if not (goes_on and n == "image")}
    for field in chooser.fields(choice):
        if field.is_media and wanted.get(field.name) is not None and field.value is None:
            notes.append(f"{field.label}: it is not in the video. Drop it again.")
        gone = [
            entry for row in field.rows for entry in row.entries if entry.is_picture and row.kept
        ]
        notes += [
            f"{field.label}, {entry.label}: it is not in the video. Drop it again."
            for entry in gone
            if entry.file is None
        ]
    return choice, notes


def _read(session: Session, path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a recipe without what may not be taken from it, and what that was."""
    replaced: set[str] = set()
    notes: list[str] = []
    while True:
        try:
            recipe = load_trusted_recipe(session, path, replaced=replaced)
            break
        except ValidationError as error:
            if error.code == ErrorCode.UNTRUSTED_WEIGHTS and not replaced & {*WEIGHT_ARGUMENTS}:
                weights = error.details["weights"]
                listed = "; ".join(map(str, weights)) if isinstance(weights, list) else weights
                notes.append(
                    f"Left out: {listed}. If you trust them, add them under Expert settings."
                )
                replaced |= {*WEIGHT_ARGUMENTS}
                continue
            fields = {argument_of(problem.field) for problem in error.problems} - replaced
            if not fields:
                raise
            notes += [f"Left out: {name}, which names a path or an address." for name in fields]
            replaced |= fields
    for part in ("required_args", "optional_args"):
        kept = {name: value for name, value in recipe[part].items() if name not in replaced}
        recipe = {**recipe, part: kept}
    return recipe, notes
