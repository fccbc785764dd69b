"""Pictures and videos of a request: files, addresses, earlier videos.

A path is none of them: it would be a file of the server's machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from starlette.datastructures import UploadFile

from tiomagic_domain.errors import Problem, TioMagicError, ValidationError
from tiomagic_domain.schema.parameter import Kind
from tiomagic_domain.suggestions import shorten_repr

FindVideo = Callable[[str], Path]
"""Returns the file of the caller's own video by its id.

Raises:
    ResourceNotFoundError: when the caller has none of that id, or it has no file.
"""
URL_FIELDS: Final = ("image_url", "video_url", "url")
"""Fields of an object that hold an address, or an object with one."""
ID_FIELDS: Final = ("id", "video_id")
"""Fields of an object that hold the id of an earlier video."""
_ADDRESS: Final = re.compile(r"\s*(https?://|data:)", re.IGNORECASE)
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
MAX_DEPTH: Final = 3


class RefusedReference(Exception):  # noqa: N818 - becomes a problem at once
    """What is no picture or video that a client may name."""


def read_reference(value: Any, find_video: FindVideo, *, depth: int = 0) -> Any:
    """Return what a media reader takes for a file, an address or an earlier video.

    Args:
        value: As it came: a file of a form, a text, or an object such as ``{"image_url": …}``.
        find_video: Knows the caller's videos.
        depth: Of the objects around it.

    Raises:
        RefusedReference: when it is none of them.
        TioMagicError: when it names a video that is not there.
    """
    if isinstance(value, UploadFile):
        return _open_upload(value)
    if isinstance(value, str):
        if _ADDRESS.match(value):
            return value.strip()
        if _ID.fullmatch(value):
            return find_video(value)
        raise RefusedReference(
            "must be an address (http://, https:// or data:), the id of a video that you made, or "
            "a file of the form"
        )
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        for name in URL_FIELDS:
            if name in value:
                return read_reference(value[name], find_video, depth=depth + 1)
        for name in ID_FIELDS:
            if isinstance(value.get(name), str):
                return find_video(value[name])
    raise RefusedReference(
        'must be an address, a file of the form, or an object such as {"image_url": "https://…"}'
    )


def _open_upload(upload: UploadFile) -> BinaryIO:
    if upload.size == 0:
        raise RefusedReference("is an empty file; leave the field out if there is none")
    return upload.file


@dataclass(frozen=True, slots=True)
class ReadMedia:
    """The media among some arguments, as a media reader takes them."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """By name; lists whole."""
    problems: list[Problem] = field(default_factory=list)
    """What is refused."""
    sent: dict[str, str] = field(default_factory=dict)
    """What the client gave for each, by its place, such as ``keyframes[0].image``."""

    def show_as_sent(self, error: ValidationError) -> ValidationError:
        """Return an error of the reader's with what the client gave, not the server's file."""
        problems = [
            replace(problem, given=self.sent.get(problem.field, problem.given))
            for problem in error.problems
        ]
        return ValidationError.of(problems, subject=error.subject, code=error.code)


def read_media(
    arguments: Mapping[str, Any], kinds: Mapping[str, Kind], find_video: FindVideo
) -> ReadMedia:
    """Return the media among some arguments as a media reader takes them, and what is refused.

    Args:
        arguments: By name; a list of objects may have media in a field, such as ``keyframes``.
        kinds: The names of media, and of the fields of lists as ``keyframes.image``.
        find_video: Knows the caller's videos.
    """
    media = ReadMedia()

    def read(place: str, value: Any) -> Any:
        is_file = isinstance(value, UploadFile)
        media.sent[place] = repr(value.filename) if is_file else shorten_repr(value)
        try:
            return read_reference(value, find_video)
        except RefusedReference as refused:
            message = str(refused)
        except TioMagicError as error:
            message = error.message
        media.problems.append(Problem(field=place, message=message, given=media.sent[place]))
        return b""  # Stands there while all other problems are looked for.

    for name, value in arguments.items():
        if name in kinds:
            media.arguments[name] = read(name, value)
        elif isinstance(value, list):
            media.arguments[name] = [
                {
                    key: read(f"{name}[{index}].{key}", part) if f"{name}.{key}" in kinds else part
                    for key, part in entry.items()
                }
                if isinstance(entry, dict)
                else entry
                for index, entry in enumerate(value)
            ]
    return media
