"""HTML within a form: its mark for the script of the page, problems, and buttons that fill it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tiomagic.display.escaping import escape
from tiomagic.ui.web.files import address_of, sample_id

if TYPE_CHECKING:
    from tiomagic.ui.models.samples import Sample


WAY_LABELS: Final = {"model": "Use", "provider": "Run it on"}
"""What the button of a way out says before the name."""


def form_mark(
    serial: int,
    choice: Iterable[str],
    tips: Mapping[str, str] = MappingProxyType({}),
    draft: Sequence[object] = (),
) -> str:
    """Return a marker for ``assets/page.js``: the current form, its choice and its tooltips.

    Args:
        serial: Of the form.
        choice: Its provider, feature and model.
        tips: The tooltip of each field by its name.
        draft: The arguments of the script's ``keep``, with the values that the form begins with.
    """
    about = escape(" ".join(choice))
    told, kept = escape(json.dumps(dict(tips))), escape(json.dumps(list(draft)))
    return (
        f'<i data-form="{serial}" data-choice="{about}" data-tips="{told}" data-draft="{kept}"></i>'
    )


def problem(messages: Iterable[str], ways: Iterable[tuple[str, str]] = ()) -> str:
    """Return the problems of a field as HTML; empty when there are none.

    Args:
        messages: The problems.
        ways: Buttons that choose what would work: the action ``model`` or ``provider``, and a name.
    """
    lines = "".join(f"<p>{escape(message)}</p>" for message in messages)
    buttons = "".join(
        f'<button type="button" class="tm-chip" data-action="{escape(action)}" '
        f'data-job="{escape(name)}">{WAY_LABELS[action]} {escape(name)}</button>'
        for action, name in ways
        if action in WAY_LABELS
    )
    chips = f'<div class="tm-chips">{buttons}</div>' if buttons else ""
    return f'<div class="tm-problem" role="alert">{lines}{chips}</div>' if lines else ""


def try_chips(samples: Sequence[Sample], recent: Sequence[str]) -> str:
    """Return buttons that fill in a sample, or a prompt of before."""
    tries = "".join(
        f'<button type="button" class="tm-chip" data-action="sample" data-job="{number}">'
        f"{_pictures(sample)}{escape(sample.prompt)}</button>"
        for number, sample in enumerate(samples)
    )
    shown = f'<div class="tm-chips"><span>Try</span>{tries}</div>' if tries else ""
    if recent:
        before = "".join(
            f'<button type="button" class="tm-chip" data-action="prompt" '
            f'data-job="{escape(prompt)}">{escape(prompt)}</button>'
            for prompt in recent
        )
        shown += (
            '<details class="tm-recent"><summary>Your last prompts</summary>'
            f'<div class="tm-chips">{before}</div></details>'
        )
    return shown


def shape_chips(found: Sequence[str | int], *, of_length: bool) -> str:
    """Return buttons that set the size of a shape, or the length of some seconds."""
    if not found:
        return ""
    words = [(f"{one}s", f"{one} s") if of_length else (str(one), str(one)) for one in found]
    if not of_length:
        words = [("own", "As usual"), *words]
    chips = "".join(
        f'<button type="button" class="tm-chip" data-action="shape" data-job="{shape}">'
        f"{escape(word)}</button>"
        for shape, word in words
    )
    label = "Length" if of_length else "Shape"
    return f'<div class="tm-chips tm-near"><span>{label}</span>{chips}</div>'


def _pictures(sample: Sample) -> str:
    return "".join(
        f'<img src="{address_of(sample_id(file))}" alt="" width="28" height="28">'
        for file in sample.inputs.values()
        if file.endswith(".png")
    )


def notice(messages: Iterable[str]) -> str:
    """Return what to know of the form as HTML; empty when there is nothing."""
    lines = "".join(f"<p>{escape(message)}</p>" for message in messages)
    return f'<div class="tm-hint" role="status">{lines}</div>' if lines else ""
