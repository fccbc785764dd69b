"""Rows of keyframes: a picture each, with the second or the frame of the video that shows it.

An entry of a row is named ``keyframes-0-image``, ``keyframes-0-at`` or ``keyframes-0-frame``. In
the list that the rows stand for, a picture is the id of its file, a path once the entries were
checked, or what was uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiomagic.ui.form.rows import Row, RowEntry, number_in, text_of
from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.schema.keyframes import AT, FRAME
from tiomagic_domain.schema.parameter import Parameter

KEYFRAME_ROWS: Final = 4
"""Rows for keyframes; more when there are more already."""
MOST_KEYFRAME_ROWS: Final = 64
IMAGE: Final = "image"
MOMENTS: Final = (AT, FRAME)


def are_keyframes(parameter: Parameter) -> bool:
    """Return whether a parameter is a list of pictures at moments."""
    return parameter.holds_media and {IMAGE, *MOMENTS} <= {part.name for part in parameter.fields}


def keyframe_rows(parameter: Parameter, given: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return a row for each keyframe of the initial values, and some empty ones.

    Args:
        parameter: The list of keyframes.
        given: Initial values, by the names of parameters or of entries. Where there are entries,
            they alone count: a row that was emptied stays empty.
    """
    name = parameter.name
    listed = given.get(name)
    listed = listed if isinstance(listed, list) else []
    keyframes = [one for one in listed if isinstance(one, Mapping)]
    entered = [int(found[1]) for key in given if (found := re.fullmatch(rf"{name}-(\d+)-\w+", key))]
    most = max([len(keyframes) - 1, *entered])
    count = min(MOST_KEYFRAME_ROWS, max(KEYFRAME_ROWS, most + 2))
    shown = [{}] * count if entered else [*keyframes, *[{}] * count][:count]
    return tuple(_row(name, index, keyframe, given) for index, keyframe in enumerate(shown))


def _row(name: str, index: int, keyframe: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
    def moment(part: str, label: str, placeholder: str) -> RowEntry:
        called = f"{name}-{index}-{part}"
        first = given.get(called, keyframe.get(part))
        value = "" if first is None else text_of(first)
        return RowEntry(name=called, part=part, label=label, placeholder=placeholder, value=value)

    called = f"{name}-{index}-{IMAGE}"
    file = given.get(called, keyframe.get(IMAGE))
    picture = RowEntry(
        name=called,
        part=IMAGE,
        label=f"Picture {index + 1}",
        file=file if isinstance(file, FormFile) else None,
        is_picture=True,
    )
    at, frame = moment(AT, "Shown at (s)", "0.5"), moment(FRAME, "or at frame", "from 0")
    return Row(entries=(picture, at, frame), kept=dict(keyframe))


def collect_keyframes(
    made: Iterable[Row], entered: Mapping[str, Any]
) -> list[dict[str, Any]] | None:
    """Return the keyframes that the rows name, in their order; None when they name none.

    Args:
        made: The rows.
        entered: What the entries hold, by their names.
    """
    keyframes = []
    for row in made:
        given: dict[str, Any] = {}
        for entry in row.entries:
            value = entered.get(entry.name)
            if isinstance(value, FormFile):
                given[entry.part] = value.file_id
            elif isinstance(value, str) and value.strip():
                text = value.strip()
                given[entry.part] = text if entry.is_picture else number_in(text)
        if given:
            keyframes.append(given)
    return keyframes or None


def is_finished(keyframe: Mapping[str, Any]) -> bool:
    """Return whether a keyframe has a picture and one moment, so that a model can be asked."""
    moments = [keyframe[name] for name in MOMENTS if name in keyframe]
    return IMAGE in keyframe and len(moments) == 1 and isinstance(moments[0], int | float)
