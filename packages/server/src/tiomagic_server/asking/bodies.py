"""A body as fields: a form with files, or JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.exceptions import HTTPException
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
    if kind in FORMS:
        async with request.form(
            max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
        ) as form:
            items = form.multi_items()
            if kind == FORMS[1] and items and items[0][0].lstrip().startswith("{"):
                # curl -d says that it is a form, whatever it sends.
                said = "the body looks like JSON: send it with the header Content-Type: "
                raise HTTPException(415, f"{said}application/json")
            yield nest(items)
    elif kind == "application/json" or (not kind and not await request.body()):
        yield _read_object(await request.body())
    else:
        raise HTTPException(415, f"send {FORMS[0]} or application/json, not {kind or 'no type'}")


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
