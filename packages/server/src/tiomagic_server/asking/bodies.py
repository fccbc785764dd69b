"""A body as fields: a form with files, or JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.files.json_documents import read_json
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.asking.nesting import nest

MAX_FILES: Final = 32
"""Most files of a form; an interpolation with keyframes has a dozen."""
MAX_FIELDS: Final = 500
"""Most other fields of a form."""
MAX_FIELD_BYTES: Final = 4 * 2**20
"""Size of a field that is no file; a picture as a data: address is one."""
MAX_JSON_BYTES: Final = 64 * 2**20
"""Size of a body in JSON, with its pictures as data: addresses."""
MAX_JSON_PARTS: Final = 4 * MAX_FIELDS
"""Most texts, brackets and commas of one: a field with a text has three."""
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"})
"""Encodings of a form; Python has others that take quadratic time, or fail in their own ways."""
FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")


@asynccontextmanager
async def read_fields(request: Request) -> AsyncIterator[dict[str, Any]]:
    """Yield the fields of a request; its files are closed when the block ends.

    Files are kept on the disk as they arrive, so that memory stays bounded.

    Raises:
        ValidationError: when the body is broken.
        HTTPException: for a body of another kind, or a form with too many parts.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORMS[0]:
        form = await _parse_form(request)
        try:
            yield nest(form.multi_items())
        finally:
            await form.close()
    elif kind == FORMS[1]:
        async with request.form(max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as texts:
            items = texts.multi_items()
            if items and items[0][0].lstrip().startswith("{"):
                # curl -d says that it is a form, whatever it sends.
                said = "the body looks like JSON: send it with the header Content-Type: "
                raise HTTPException(415, f"{said}application/json")
            yield nest(items)
    elif kind == "application/json" or (not kind and not await request.body()):
        yield _read_object(await request.body())
    else:
        raise HTTPException(415, f"send {FORMS[0]} or application/json, not {kind or 'no type'}")


async def _parse_form(request: Request) -> FormData:
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8").decode("latin-1").lower()
    if charset not in CHARSETS:
        raise HTTPException(415, f"send the form in UTF-8, not {shorten_repr(charset)}")
    parser = _WholeForm(
        request.headers,
        request.stream(),
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from error


class _WholeForm(MultiPartParser):
    """Refuses a form that was cut off, and texts that together fill the memory.

    Starlette leaves out a part that has no end: the video would be made without its picture.
    """

    _has_end = False
    _text_bytes = 0

    def on_end(self) -> None:
        self._has_end = True

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._text_bytes += end - start
            if self._text_bytes > MAX_JSON_BYTES:
                said = f"fields that are no files may have {MAX_JSON_BYTES // 2**20} MiB together"
                raise MultiPartException(said)
        super().on_part_data(data, start, end)

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._has_end:
            for file in self._files_to_close_on_error:  # Also that of the part without an end.
                file.close()
            raise MultiPartException("the form was cut off: its last boundary is missing")
        return form


def _read_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    found = read_json(body, "the body", longest=MAX_JSON_BYTES, most_parts=MAX_JSON_PARTS)
    if not isinstance(found, dict):
        problem = Problem(
            field="body",
            message='must be an object, such as {"prompt": "a fox"}',
            given=shorten_repr(found),
        )
        raise ValidationError.of([problem], subject="the request")
    # Clients that have no word for "left out" send null.
    return {name: value for name, value in found.items() if value is not None}
