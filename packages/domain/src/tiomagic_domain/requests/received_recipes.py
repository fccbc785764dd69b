"""Checks untrusted recipes: no paths, no addresses, no unapproved downloads.

A recipe names its inputs by their hash. A path instead could put a private file of the user into a
video, and an address could reveal the user to its owner: no recipe made here has either. The user
must approve downloads from the hub that the model's own card does not name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import SUFFIX
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.nested_media import find_media
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_domain.weights.given import WEIGHTS_ARGUMENT, read_given

LORAS: Final = "loras"
REVISIONS: Final = "revisions"
MAX_LORAS: Final = 32
"""Most LoRAs of a recipe; a call has a handful."""

_LORA: Final = "a LoRA file by its bare name and sha256, any other by its repository"
_FILE: Final = "a file of weights by its bare name and digest, any other by its place on the hub"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def check_inputs(
    recipe: Mapping[str, Any], card: ModelCard, feature: Feature, replaced: Collection[str] = ()
) -> None:
    """Check that a recipe names its inputs and LoRA files only by hash or repository.

    Args:
        recipe: As ``read_embedded_recipe`` gives it.
        card: The model that is to run it.
        feature: The recipe's.
        replaced: Arguments that the reader gives in place of the recipe's.

    Raises:
        ValidationError: lists every path and address in it.
    """
    arguments = _arguments(recipe, replaced)
    problems = [
        _refused(place.name, place.source, "an input by its hash", f"{place.argument}=…")
        for place in find_media(card.schema(feature).parameters, arguments)
        if not _is_kept_or_embedded(place.source)
    ]
    loras = _loras(arguments)
    problems += [
        _refused(LORAS, lora.get("source"), _LORA, f"{LORAS}=…")
        for lora in loras[:MAX_LORAS]
        if not _is_plain_lora(lora)
    ]
    if len(loras) > MAX_LORAS:
        message = f"has {len(loras)} entries, a recipe has at most {MAX_LORAS}"
        problems.append(Problem(field=LORAS, message=message, given=shorten_repr(len(loras))))
    problems += [
        _refused(f"{WEIGHTS_ARGUMENT}.{name}", file.place, _FILE, f"{WEIGHTS_ARGUMENT}=…")
        for name, file in read_given(arguments.get(WEIGHTS_ARGUMENT)).items()
        if not file.is_plain
    ]
    if problems:
        raise ValidationError.of(problems, subject="the recipe")


def check_weights(
    recipe: Mapping[str, Any],
    card: ModelCard,
    replaced: Collection[str] = (),
    named: Collection[str] = (),
) -> None:
    """Check that a recipe downloads only weights that the user has approved.

    Args:
        recipe: As ``read_embedded_recipe`` gives it.
        card: The model that is to run it; its own repositories and commits are known.
        replaced: Arguments that the reader gives in place of the recipe's.
        named: The approved repositories.

    Raises:
        ValidationError: lists the others; its code is ``untrusted_weights``.
    """
    found = list(dict.fromkeys(_foreign(_arguments(recipe, replaced), card, set(named))))
    if found:
        listed = "; ".join(found)
        raise ValidationError(
            f"the recipe would fetch weights that you have not named: {listed}. To use them, "
            f"{NextStep.TRUST.say()}",
            code=ErrorCode.UNTRUSTED_WEIGHTS,
            details={"weights": found},
        )


def repositories_of(arguments: Mapping[str, Any]) -> set[str]:
    """Return the repositories of the LoRAs and files among the arguments of a call."""
    files = read_given(arguments.get(WEIGHTS_ARGUMENT)).values()
    named = {file.hub_file[0] for file in files if file.hub_file is not None}
    return {str(lora.get("source")) for lora in _loras(arguments)} | named


def _arguments(recipe: Mapping[str, Any], replaced: Collection[str]) -> dict[str, Any]:
    kept = {**recipe["required_args"], **recipe["optional_args"]}
    return {name: value for name, value in kept.items() if name not in replaced}


def _loras(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = arguments.get(LORAS)
    return [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []


def _is_kept_or_embedded(value: object) -> bool:
    if isinstance(value, Mapping):
        return _SHA256.fullmatch(str(value.get("sha256"))) is not None
    return value is None or (isinstance(value, str) and value[:5].lower() == "data:")


def _is_plain_lora(lora: Mapping[str, Any]) -> bool:
    source, name = str(lora.get("source", "")), str(lora.get("weight_name", ""))
    # Windows paths count on every system, because recipes are shared.
    if ".." in PurePosixPath(name).parts or name.startswith(("/", "~")) or set(name) & {"\\", ":"}:
        return False
    if not source.endswith(SUFFIX):
        return _REPOSITORY.fullmatch(source) is not None
    is_bare = source == PurePosixPath(source).name == PureWindowsPath(source).name
    return is_bare and _SHA256.fullmatch(str(lora.get("sha256"))) is not None


def _foreign(arguments: Mapping[str, Any], card: ModelCard, named: set[str]) -> Iterator[str]:
    known = card.repositories
    for lora in _loras(arguments):
        source = str(lora.get("source"))
        if not source.endswith(SUFFIX) and source not in {*known, *named}:
            at = f" at {_short(lora['revision'])}" if lora.get("revision") else ""
            yield f"a LoRA from {_short(source)}{at}"
    for name, file in read_given(arguments.get(WEIGHTS_ARGUMENT)).items():
        own = {one.repository: one.revision for one in card.quantized_files}
        if file.hub_file is None or file.hub_file[0] in {*known, *named}:
            continue
        if own.get(file.hub_file[0], "") not in {None, file.pin}:
            at = f" at {_short(file.pin)}" if file.pin else ""
            yield f"a {_short(name).replace('_', ' ')} from {_short(file.place)}{at}"
    revisions = arguments.get(REVISIONS)
    for repository, commit in (revisions if isinstance(revisions, Mapping) else {}).items():
        if repository not in named and known.get(repository) not in (None, commit):
            yield f"{repository} at {_short(commit)}, where the model has {known[repository]}"


def _short(value: object) -> str:
    """Return untrusted text, cut to a length that fits into a message."""
    return str(value)[:100]


def _refused(field: str, value: object, form: str, way: str) -> Problem:
    is_text = isinstance(value, str)
    what = "an address" if is_text and "://" in str(value) else "a path" if is_text else "neither"
    message = f"a recipe names {form}; this one has {what}, which is not used. Give your own: {way}"
    return Problem(field=field, message=message, given=shorten_repr(value))
