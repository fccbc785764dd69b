"""From the text of a command line to the values of a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.schema.parameter import Kind, Parameter

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.schema.schema import Schema

BOOLEAN_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

_MOMENT: Final = re.compile(r"(?P<frame>f)?(?P<number>-?\d{1,9}(?:\.\d{1,9})?)s?", re.IGNORECASE)
"""What stands behind the @ of a keyframe: seconds, or f and the number of a frame."""
_PART_OF_NAME: Final = re.compile(r"[/\\]|\.[A-Za-z]\w*$")
"""What stands behind an @ that belongs to the name of a file or to an address."""
NO_MOMENT: Final = "behind the @ stand seconds, as in @1.5, or a frame, as in @f24"


def read_settings(card: ModelCard | None, assignments: list[str] | None) -> dict[str, Any]:
    """Return the settings of the run that is meant, as texts of the form ``name=value`` say it."""
    if card is None or not assignments:
        return {}
    return parse_arguments(next(iter(card.features.values())), {}, assignments)


def parse_arguments(
    schema: Schema, options: Mapping[str, str | None], assignments: Iterable[str]
) -> dict[str, Any]:
    """Return the arguments of a call. What has no form of its kind stays text, to be refused.

    Args:
        schema: Gives the kind of each parameter.
        options: Texts by parameter name; None for what was left out.
        assignments: Texts of the form ``name=value``.

    Raises:
        ValidationError: when an assignment has no such form, or a name is given twice.
    """
    texts = {name: text for name, text in options.items() if text is not None}
    problems = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            problems.append(_problem("--set", "must be NAME=VALUE", assignment))
        elif name in texts:
            problems.append(_problem(name, "is given twice; give it once", assignment))
        else:
            texts[name] = text
    if problems:
        raise ValidationError.of(problems, subject="the command line")
    return {
        name: parse_value(_kind(schema[name], text), text) if name in schema else text
        for name, text in texts.items()
    }


def loras_text(options: Iterable[str] | None) -> str | None:
    """Return the texts of ``--lora`` as the text of the parameter ``loras``; None for none.

    Args:
        options: Each a source, and after the last ``@`` its strength.
    """
    loras: list[dict[str, object]] = []
    for option in options or ():
        source, at, strength = option.rpartition("@")
        try:
            loras.append({"source": source, "scale": float(strength)} if at else {"source": option})
        except ValueError:
            loras.append({"source": option})  # An @ in the name of a file.
    return json.dumps(loras) if loras else None


def _kind(parameter: Parameter, text: str) -> Kind:
    """Return what a text is meant as: an object where one may stand for a word."""
    is_object = parameter.has_words and text.lstrip().startswith("{")
    return Kind.OBJECT if is_object else parameter.kind


def parse_value(kind: Kind, text: str) -> object:
    """Return the value that a text means for a kind, or the text when it means none."""
    match kind:
        case Kind.INTEGER | Kind.NUMBER:
            for number in (int, float):
                with suppress(ValueError):
                    return number(text)
        case Kind.BOOLEAN:
            return BOOLEAN_WORDS.get(text.strip().lower(), text)
        case Kind.LIST | Kind.OBJECT:
            with suppress(ValueError):
                value: object = json.loads(text)
                return value
        case _:
            pass
    return text


def join_keyframes(texts: Iterable[str] | None) -> str | None:
    """Return the argument ``keyframes`` as JSON, as ``--set`` takes it; None without any.

    What has no moment is a picture without one, which the model's schema refuses with its place.

    Args:
        texts: Each ``FILE@1.5`` in seconds, or ``FILE@f24`` for a frame.

    Raises:
        typer.BadParameter: names what stands behind an @ and is no moment.
    """
    given = list(texts or ())
    entries = [_read_keyframe(text) for text in given]
    wrong = [repr(text) for text, entry in zip(given, entries, strict=True) if entry is None]
    if wrong:
        named = f"{', '.join(wrong)}: {NO_MOMENT}"
        raise typer.BadParameter(named, param_hint="--keyframe")
    return json.dumps(entries) if entries else None


def _read_keyframe(text: str) -> dict[str, object] | None:
    """Return a keyframe; None for a picture with a word behind the @ that is no moment."""
    # From the right: a name or an address may have the sign, too.
    image, sign, moment = text.rpartition("@")
    found = _MOMENT.fullmatch(moment.strip()) if sign else None
    if found is None:
        is_name = not sign or _PART_OF_NAME.search(moment) or _is_file(text)
        return {"image": text} if is_name else None
    digits = found["number"]
    number = float(digits) if "." in digits else int(digits)
    return {"image": image, "frame" if found["frame"] else "at": number}


def _is_file(text: str) -> bool:
    with suppress(OSError, ValueError):  # A text that is no path, such as a picture in base64.
        return Path(text).expanduser().is_file()
    return False


def _problem(field: str, message: str, given: str) -> Problem:
    return Problem(field=field, message=message, given=repr(given))


def read_arguments(
    feature: str,
    model: str,
    options: Mapping[str, str | None],
    assignments: list[str] | None,
    more: Mapping[str, object],
) -> dict[str, Any]:
    """Return the arguments that the command line gives as texts."""
    from tiomagic.api.models import find_schema  # noqa: PLC0415  # The same.
    from tiomagic.cli._text_input import read_prompt  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.catalogue import find_feature  # noqa: PLC0415  # The same.
    from tiomagic_domain.requests.continuing import feature_to_serve  # noqa: PLC0415  # The same.

    wanted = feature_to_serve(model, find_feature(feature), more)
    known, prompt = find_schema(wanted, model), options["prompt"]
    texts = {**options, "prompt": None if prompt is None else read_prompt(prompt)}
    return parse_arguments(known, texts, assignments or [])
