"""Rows of a form: a LoRA each, the version of each repository, the file of each component.

``keyframe_rows`` has those of pictures at moments.

An entry of a row is named ``loras-0-source`` or ``revisions-0``. What a row cannot show of a LoRA
of a recipe, such as its digest, stays with it as long as its source stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.schema.parameter import Kind, Parameter

LORA_ROWS: Final = 4
"""Rows for LoRAs; more when there are more already."""
MOST_LORA_ROWS: Final = 32
"""As many as a recipe may have."""
SHOWN_OF_LORA: Final = ("source", "weight_name", "scale")
"""The fields of a LoRA that a row shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEntry:
    """One entry of a row."""

    name: str
    """Its name in the form."""
    part: str
    """The field of the parameter that it is."""
    label: str
    help: str = ""
    value: str = ""
    """The initial text."""
    default: str = ""
    """The text when nobody has chosen anything."""
    placeholder: str = ""
    is_picture: bool = False
    """True for an upload, whose initial value is ``file``."""
    file: FormFile | None = None

    @property
    def initial(self) -> Any:
        """What it holds at first, as a browser writes it."""
        if self.is_picture:
            return None if self.file is None else self.file.as_entry()
        return self.value

    @property
    def resting(self) -> Any:
        """What it holds when nobody has chosen anything."""
        return None if self.is_picture else self.default


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row."""

    entries: tuple[RowEntry, ...]
    kept: Mapping[str, Any] = field(default_factory=dict)
    """The whole LoRA or keyframe that the row began with."""


def are_loras(parameter: Parameter) -> bool:
    """Return whether a parameter is a list of LoRAs."""
    return parameter.items is Kind.OBJECT and {"source", "scale"} <= {
        part.name for part in parameter.fields
    }


def are_commits(parameter: Parameter) -> bool:
    """Return whether a parameter is an object with a text for each of some names."""
    return bool(parameter.fields) and all(
        part.kind is Kind.STRING and not part.choices for part in parameter.fields
    )


def lora_rows(parameter: Parameter, given: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return a row for each LoRA of the initial values, and some empty ones.

    Args:
        parameter: The list of LoRAs.
        given: Initial values, by the names of parameters or of entries.
    """
    listed = given.get(parameter.name)
    listed = listed if isinstance(listed, list) else []
    loras = [one for one in listed if isinstance(one, Mapping)][:MOST_LORA_ROWS]
    count = min(MOST_LORA_ROWS, max(LORA_ROWS, len(loras) + 1))
    padded = [*loras, *[{}] * (count - len(loras))]
    return tuple(_lora_row(parameter.name, at, lora, given) for at, lora in enumerate(padded))


def _lora_row(name: str, at: int, lora: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
    def entry(part: str, label: str, placeholder: str, default: str = "") -> RowEntry:
        called = f"{name}-{at}-{part}"
        first = given.get(called, lora.get(part))
        return RowEntry(
            name=called,
            part=part,
            label=label,
            placeholder=placeholder,
            default=default,
            value=default if first is None else text_of(first),
        )

    return Row(
        entries=(
            entry("source", f"LoRA {at + 1}", "file.safetensors or owner/name"),
            entry("weight_name", "File in it", "optional"),
            entry("scale", "Strength", "1", default="1"),
        ),
        kept=dict(lora),
    )


def commit_rows(parameter: Parameter, given: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return a row for each repository, or for each component that a file can replace.

    Args:
        parameter: An object with a field for each.
        given: Initial values, by the names of parameters or of entries.
    """
    kept = given.get(parameter.name)
    kept = kept if isinstance(kept, Mapping) else {}
    made = []
    for at, part in enumerate(parameter.fields):
        called = f"{parameter.name}-{at}"
        first = given.get(called, kept.get(part.name))
        made.append(
            RowEntry(
                name=called,
                part=part.name,
                label=f"File of the {part.name.replace('_', ' ')}"
                if part.path
                else f"Version of {part.name}",
                placeholder="file.gguf or owner/name/file.gguf"
                if part.path
                else "a commit, branch or tag",
                value="" if first is None else text_of(first),
            )
        )
    return tuple(Row(entries=(entry,)) for entry in made)


def collect_loras(made: tuple[Row, ...], entered: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the LoRAs that the rows name; None when they name none.

    Args:
        made: The rows.
        entered: Texts by the names of entries.
    """
    loras = []
    for row in made:
        given = {entry.part: str(entered.get(entry.name) or "").strip() for entry in row.entries}
        if not given["source"]:
            continue
        kept = row.kept if row.kept.get("source") == given["source"] else {}
        lora: dict[str, Any] = {k: v for k, v in kept.items() if k not in SHOWN_OF_LORA}
        lora["source"] = given["source"]
        if given["weight_name"]:
            lora["weight_name"] = given["weight_name"]
        if given["scale"] and given["scale"] != "1":
            lora["scale"] = number_in(given["scale"])
        loras.append(lora)
    return loras or None


def collect_commits(made: tuple[Row, ...], entered: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the versions that the rows name, by repository; None when they name none."""
    named = {
        entry.part: str(entered.get(entry.name) or "").strip()
        for row in made
        for entry in row.entries
    }
    return {name: commit for name, commit in named.items() if commit} or None


def number_in(text: str) -> int | float | str:
    """Return the number in a text, or else the text, which the schema refuses."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def text_of(value: object) -> str:
    """Return an initial value as text; nothing for what is no text and no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return replace_invalid_characters(str(value))
