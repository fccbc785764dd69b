"""Validates the arguments that a browser sends to a function of the page.

``web.messages`` has parsed and bounded the message; here each function's arguments are checked. The
page uses only what this module returns: known choices, known filters, a known button, and entries
whose files were uploaded to this page or belong to one of its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic.ui.form.fields import Field, entries_of
from tiomagic.ui.form.first_choices import FirstChoice
from tiomagic.ui.jobs.gallery import NO_FILTER, GalleryFilters
from tiomagic.ui.web.files import ServedFiles
from tiomagic.ui.web.messages import InvalidMessageError, parse_bounded_json
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus

BUTTON_ACTIONS: Final = frozenset(
    {
        *("show", "again", "retry", "more", "use", "continue", "compare", "cancel", "delete"),
        *("label", "favourite", "tag", "open-compare", "run-next"),
    }
)
"""The actions of a job's buttons."""
FILL_ACTIONS: Final = frozenset(
    {"provider", "model", "sample", "prompt", "shape", "draft", "recipe"}
)
"""The actions that fill the form."""
PROMPT_CHARACTERS: Final = 20_000
"""Longest prompt that is taken from a button, and longest note."""
MOST_PROVIDERS: Final = 20
"""Most providers of one call."""
WORD_CHARACTERS: Final = 200
"""Longest name of a model or a job, and longest search text."""


class Wanted(TypedDict):
    """How a form's call is made, whatever it is about. Plain data: each page keeps its own."""

    count: int
    """How many videos one press makes."""
    max_cost: str
    """The most that each may cost, as it was entered; empty for the limit of the settings."""
    others: list[str]
    """Providers that are tried in this order if the chosen one cannot run the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A form's content as the browser has stored it."""

    provider: str | None
    feature: str | None
    model: str | None
    values: Mapping[str, Any]
    """Entries by name: text, numbers, switches, and files as ``File``."""
    first_choices: Sequence[FirstChoice] = ()
    """What was chosen first, of what the form shows. Not checked: the form ignores what does not
    fit."""


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button of a job."""

    action: str
    """One of :data:`BUTTON_ACTIONS`."""
    job_id: str
    tags: str = ""
    """The tags that were entered, with commas between them."""
    note: str = ""
    """The note that was entered."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A pressed button that fills the form."""

    action: str
    """One of :data:`FILL_ACTIONS`."""
    target: str
    """Name of a provider or model, number of a sample, a prompt, a shape, or a file's id; may be
    empty."""


def read_word(value: object) -> str | None:
    """Return a short text; None for anything else."""
    if not isinstance(value, str) or not 0 < len(value) <= WORD_CHARACTERS:
        return None
    return replace_invalid_characters(value)


def read_draft(text: object, files: ServedFiles) -> Draft:
    """Return the form that a browser has stored; an empty draft when it is invalid.

    Args:
        text: JSON, as ``assets/page.js`` writes it.
        files: Knows which files may be in it.
    """
    try:
        kept = parse_bounded_json(text) if isinstance(text, str) and text else {}
    except InvalidMessageError:
        kept = {}
    kept = kept if isinstance(kept, dict) else {}
    choice = kept.get("choice")
    choice = choice if isinstance(choice, dict) else {}
    values = kept.get("values")
    values = values if isinstance(values, dict) else {}
    return Draft(
        provider=read_word(choice.get("provider")),
        feature=read_word(choice.get("feature")),
        model=read_word(choice.get("model")),
        values={name: _kept(value, files) for name, value in values.items() if read_word(name)},
        first_choices=FirstChoice.list_from(choice.get("first_choices")),
    )


def read_entries(
    fields: Sequence[Field], given: Sequence[Any], files: ServedFiles
) -> dict[str, Any]:
    """Return a form's entries by name; a picture or video as its path.

    Args:
        fields: The form.
        given: A value for each of ``form.entries_of``, in that order.
        files: Knows which files may be in it.

    Raises:
        ValidationError: when a file is not one of those, or has been deleted.
    """
    names = entries_of(list(fields))
    if len(given) != len(names):
        raise ValidationError("this form is not the one that was shown: load the page again")
    entered = dict(zip(names, given, strict=True))
    problems = []
    for field, name in ((one, name) for one in fields for name in one.files):
        value = entered[name]
        if value is None:
            continue
        file = files.find(value.get("path")) if isinstance(value, Mapping) else None
        entered[name] = None if file is None else str(file.path)
        if file is None:
            message = "is not here any more: drop the file again"
            problems.append(Problem(field=field.name, message=message, given="a file"))
    if problems:
        raise ValidationError.of(problems, subject="the form")
    return {
        name: replace_invalid_characters(v) if isinstance(v, str) else v
        for name, v in entered.items()
    }


def read_filters(
    text: object, tag: object, status: object, feature: object, model: object
) -> GalleryFilters:
    """Return the gallery's filters; an unknown word does not filter."""
    known = [one.value for one in JobStatus], [one.value for one in Feature]
    return GalleryFilters(
        text=read_word(text) or "",
        tag=(read_word(tag) or "").strip(),
        status=status if isinstance(status, str) and status in known[0] else NO_FILTER,
        feature=feature if isinstance(feature, str) and feature in known[1] else NO_FILTER,
        model=read_word(model) or NO_FILTER,
    )


def read_press(event: object) -> Press | None:
    """Return the pressed button; None when there is no such button."""
    action = read_word(getattr(event, "action", None))
    job_id = read_word(getattr(event, "job", None))
    if action is None or action not in BUTTON_ACTIONS or job_id is None:
        return None
    tags, note = (_read_text(getattr(event, name, None)) for name in ("tags", "note"))
    return Press(action, job_id, tags, note)


def read_filling(event: object) -> Filling | None:
    """Return the pressed button that fills the form; None when there is no such button."""
    action = read_word(getattr(event, "action", None))
    if action is None or action not in FILL_ACTIONS:
        return None
    return Filling(action, _read_text(getattr(event, "job", None)))


def read_wanted(count: object, max_cost: object, others: object, most: int) -> Wanted:
    """Return how a form's call is made.

    Args:
        count: A number of videos.
        max_cost: What was entered as the limit.
        others: Names of providers.
        most: Most videos.
    """
    given = others[:MOST_PROVIDERS] if isinstance(others, list) else []
    names = dict.fromkeys(word for one in given if (word := read_word(one)))
    return Wanted(
        count=read_count(count, most),
        max_cost=(read_word(max_cost) or "").strip(),
        others=list(names),
    )


def read_kept_wanted(text: object, first: Wanted) -> Wanted:
    """Return how calls are made as a browser has stored it; what it has not is as at first.

    Args:
        text: JSON, as ``assets/page.js`` writes it.
        first: What holds for a new browser.
    """
    try:
        kept = parse_bounded_json(text) if isinstance(text, str) and text else {}
    except InvalidMessageError:
        kept = {}
    known = {**first, **kept} if isinstance(kept, dict) else first
    return read_wanted(1, known["max_cost"], known["others"], 1)


def read_count(value: object, most: int) -> int:
    """Return a number of videos, from 1 to a most."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 1
    return max(1, min(most, int(value)))


def _read_text(value: object) -> str:
    """Return a bounded text; an empty one for anything else."""
    if not isinstance(value, str) or len(value) > PROMPT_CHARACTERS:
        return ""
    return replace_invalid_characters(value)


def _kept(value: Any, files: ServedFiles) -> Any:
    """Return an entry of a draft; a file only if it was uploaded here."""
    if isinstance(value, dict):
        return files.find(value.get("path"))
    return None if isinstance(value, list) else value
