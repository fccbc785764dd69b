"""HTML within a form: its mark for the script of the page, and problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from tiomagic.display.escaping import escape


def form_mark(serial: int, choice: Iterable[str], notes: Mapping[str, str] | None = None) -> str:
    """Return a marker for ``assets/page.js``: the current form, its choice and its tooltips.

    Args:
        serial: Of the form.
        choice: Its provider, feature and model.
        notes: The tooltip of each field by its name.
    """
    about = escape(" ".join(choice))
    tips = escape(json.dumps(dict(notes or {})))
    return f'<i data-form="{serial}" data-choice="{about}" data-tips="{tips}"></i>'


def problem(messages: Iterable[str]) -> str:
    """Return the problems of a field as HTML; empty when there are none."""
    lines = "".join(f"<p>{escape(message)}</p>" for message in messages)
    return f'<div class="tm-problem" role="alert">{lines}</div>' if lines else ""
