"""The Gradio widgets of a form."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from tiomagic.ui.form import media_widgets
from tiomagic.ui.form.fields import Field, Widget
from tiomagic.ui.form.marks import notice, problem
from tiomagic.ui.form.rows import RowEntry
from tiomagic.ui.form.shots import URL_OF
from tiomagic.ui.form.wording import choice_label

ROW_CLASSES: Final = {Widget.LORAS: "tm-lora", Widget.KEYFRAMES: "tm-keyframe"}
"""The class of rows of which the style shows one empty one."""
ROW_HEIGHT: Final = 140
"""Pixels of a picture in a row."""
NARROW: Final = frozenset({"weight_name", "scale", "at", "frame"})
"""The parts of a row that are short."""


@dataclass(frozen=True, slots=True)
class FormComponents:
    """A form's components."""

    entries: list[Any]
    """One for each of ``fields.entries_of``, in that order."""
    slots: list[Any]
    """The slots for problems, in the order of the fields."""


def build_form(
    fields: Sequence[Field],
    serial: int,
    *,
    example: str = "",
    below: Callable[[str], None] = lambda _name: None,
) -> FormComponents:
    """Lay out a form within the current page.

    Args:
        fields: Its fields; expert settings are collapsed.
        serial: Unique for each form. Without unique keys, a widget without a value shows the value
            of the previous form.
        example: What an empty prompt shows as a hint.
        below: Called with the name of each plain field after it was laid out.
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
                if field.rows:
                    made[field.name], slots[field.name] = _lay_out_rows(field, serial)
                    continue
                hint = example if field.name == "prompt" else ""
                made[field.name], slots[field.name] = _entry(field, serial, hint)
                below(field.name)

    place([field for field in fields if not field.expert])
    expert = [field for field in fields if field.expert]
    if expert:
        with gr.Accordion("Expert settings", open=False):
            place(sorted(expert, key=lambda field: bool(field.rows)))
    entries = [component for field in fields for component in made[field.name]]
    return FormComponents(entries, [slots[field.name] for field in fields])


def update_problems(messages: Sequence[str], ways: Sequence[tuple[str, str]] = ()) -> Any:
    """Return the update of a slot.

    Args:
        messages: The problems.
        ways: What would work, as buttons of ``marks.problem``.
    """
    return gr.update(value=problem(messages, ways), visible=bool(messages))


def update_notice(messages: Sequence[str]) -> Any:
    """Return the update of a slot that tells what is no problem."""
    return gr.update(value=notice(messages), visible=bool(messages))


def _entry(field: Field, serial: int, example: str = "") -> tuple[list[Any], Any]:
    common: dict[str, Any] = {"label": field.label, "elem_id": f"field-{field.name}"}
    common |= {"key": f"{field.name}-{serial}"}
    # Explicit, because Gradio would guess, and a part could stay locked.
    common |= {"interactive": True}
    components = [_component(field, common, example)]
    if field.is_media:
        components.append(_url(field, serial))
    return components, _slot(field)


def _slot(field: Field) -> Any:
    return gr.HTML(visible=False, elem_id=f"problem-{field.name}")


def _lay_out_rows(field: Field, serial: int) -> tuple[list[Any], Any]:
    components = []
    with gr.Accordion(field.label, open=field.initial != field.resting):
        gr.Markdown(field.help, elem_classes="tm-help")
        for row in field.rows:
            with gr.Row(elem_classes=ROW_CLASSES.get(field.widget)):
                components += [_row_entry(entry, serial) for entry in row.entries]
        slot = _slot(field)
    return components, slot


def _row_entry(entry: RowEntry, serial: int) -> Any:
    if entry.is_picture:
        return media_widgets.picture(
            entry.file,
            label=entry.label,
            elem_id=f"field-{entry.name}",
            key=f"{entry.name}-{serial}",
            interactive=True,
            height=ROW_HEIGHT,
            scale=3,
            min_width=180,
        )
    wide = entry.part not in NARROW
    return gr.Textbox(
        entry.value,
        label=entry.label,
        placeholder=entry.placeholder,
        elem_id=f"field-{entry.name}",
        key=f"{entry.name}-{serial}",
        interactive=True,
        scale=3 if wide else 1,
        min_width=180 if wide else 80,
    )


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


def _component(field: Field, common: dict[str, Any], example: str) -> Any:  # noqa: PLR0911 - one a kind
    value = field.value
    match field.widget:
        case Widget.LINES:
            lines = 3 if field.required else 1
            hint = example or None
            return gr.Textbox(value or "", lines=lines, info=field.help, placeholder=hint, **common)
        case Widget.NUMBER:
            # Not gr.Number: an empty, collapsed one gives 0 after the form was changed.
            shown = "" if value is None else str(value)
            return gr.Textbox(
                shown, info=field.help, placeholder="empty: decided for you", **common
            )
        case Widget.SLIDER:
            # The number beside a slider may be typed: assets/page.js moves it to a legal one.
            return gr.Slider(
                field.low, field.high, value, step=field.step, info=field.help, **common
            )
        case Widget.CHOICE:
            choices = [(choice_label(one), one) for one in field.choices]
            return gr.Dropdown(choices, value=value, info=field.help, **common)
        case Widget.WORD_OR_OBJECT:
            words = list(field.choices)
            return gr.Dropdown(
                words,
                value=value,
                allow_custom_value=value not in words,
                info=field.help,
                **common,
            )
        case Widget.SWITCH:
            return gr.Checkbox(bool(value), info=field.help, **common)
        case Widget.IMAGE | Widget.VIDEO:
            return _media(field, common)
        case _:
            return gr.Textbox(value or "", info=field.help, **common)


def _media(field: Field, common: dict[str, Any]) -> Any:
    place = media_widgets.picture if field.widget is Widget.IMAGE else media_widgets.video
    return place(field.value, height=220, **common)
