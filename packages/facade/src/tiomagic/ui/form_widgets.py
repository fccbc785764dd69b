"""The Gradio widgets of a form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tiomagic.ui import media_widgets
from tiomagic.ui.form import URL_OF, Field, Widget
from tiomagic.ui.markup import problem


@dataclass(frozen=True, slots=True)
class FormComponents:
    """A form's components."""

    entries: list[Any]
    """One for each of ``form.entries_of``, in that order."""
    slots: list[Any]
    """The slots for problems, in the order of the fields."""


def build_form(fields: Sequence[Field], serial: int) -> FormComponents:
    """Lay out a form within the current page.

    Args:
        fields: Its fields; expert settings are collapsed.
        serial: Unique for each form. Without unique keys, a widget without a value shows the value
            of the previous form.
    """
    made: dict[str, list[Any]] = {}
    slots: dict[str, Any] = {}

    def place(wanted: Sequence[Field]) -> None:
        for is_media, group in itertools.groupby(wanted, key=lambda field: field.is_media):
            if is_media:
                with gr.Row():
                    for field in group:
                        with gr.Column(min_width=200):
                            made[field.name], slots[field.name] = _entry(field, serial)
                continue
            for field in group:
                made[field.name], slots[field.name] = _entry(field, serial)

    place([field for field in fields if not field.expert])
    if any(field.expert for field in fields):
        with gr.Accordion("Expert settings", open=False):
            place([field for field in fields if field.expert])
    entries = [component for field in fields for component in made[field.name]]
    return FormComponents(entries, [slots[field.name] for field in fields])


def update_problems(messages: Sequence[str]) -> Any:
    """Return the update of a slot."""
    return gr.update(value=problem(messages), visible=bool(messages))


def _entry(field: Field, serial: int) -> tuple[list[Any], Any]:
    common: dict[str, Any] = {"label": field.label, "elem_id": f"field-{field.name}"}
    common |= {"key": f"{field.name}-{serial}"}
    common |= {
        "interactive": True
    }  # Explicit, because Gradio would guess, and a part could stay locked.
    components = [_component(field, common)]
    if field.is_media:
        components.append(_url(field, serial))
    return components, gr.HTML(visible=False, elem_id=f"problem-{field.name}")


def _url(field: Field, serial: int) -> Any:
    name = URL_OF.format(name=field.name)
    return gr.Textbox(
        field.url,
        label=f"{field.label}, or its web address",
        placeholder="https://…",
        info=field.help,
        elem_id=f"field-{name}",
        key=f"{name}-{serial}",
        interactive=True,
    )


def _component(field: Field, common: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a kind
    value = field.value
    match field.widget:
        case Widget.LINES:
            lines = 3 if field.required else 1
            return gr.Textbox(value or "", lines=lines, info=field.help, **common)
        case Widget.NUMBER:
            # Not gr.Number: an empty, collapsed one gives 0 after the form was changed.
            shown = "" if value is None else str(value)
            return gr.Textbox(
                shown, info=field.help, placeholder="empty: decided for you", **common
            )
        case Widget.SLIDER:
            # The number beside a slider may be typed; the schema checks its limits.
            return gr.Slider(
                field.low, field.high, value, step=field.step, info=field.help, **common
            )
        case Widget.CHOICE:
            return gr.Dropdown(list(field.choices), value=value, info=field.help, **common)
        case Widget.WORD_OR_JSON:
            return gr.Dropdown(
                list(field.choices),
                value=value,
                allow_custom_value=True,
                info=f"{field.help} An object is typed as JSON.",
                **common,
            )
        case Widget.SWITCH:
            return gr.Checkbox(bool(value), info=field.help, **common)
        case Widget.IMAGE | Widget.VIDEO:
            return _media(field, common)
        case _:
            hint = "[ ] as JSON" if field.widget is Widget.JSON else None
            return gr.Textbox(value or "", info=field.help, placeholder=hint, **common)


def _media(field: Field, common: dict[str, Any]) -> Any:
    place = media_widgets.picture if field.widget is Widget.IMAGE else media_widgets.video
    return place(field.value, height=220, **common)
