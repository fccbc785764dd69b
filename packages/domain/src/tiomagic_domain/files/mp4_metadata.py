"""Adds a recipe to the metadata of an mp4 by editing its boxes, without a decoder.

::

    moov ─ udta ─ meta ─ ilst ─┬─ ---- (com.apple.iTunes, tiomagic)
                               └─ ©cmt                               both with the recipe

Players and editing programs know the tree; FFmpeg reads it as the metadata ``tiomagic`` and
``comment``. Where the index stands before the pictures, its table of places is moved on by as much
as it grows.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tiomagic_domain.files.replacing import replacing

RECIPE_MARKER: Final = b"tiomagic_recipe"
"""Marks the index of a file that has a recipe."""

MAX_INDEX_BYTES: Final = 64 * 2**20
"""Most bytes of an index; a clip has some thousand."""

_TABLES: Final = {b"stco": ">I", b"co64": ">Q"}
_ABOVE_TABLES: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    body: int
    """Where its content begins."""
    end: int


class _NoMp4(Exception):  # noqa: N818 - never leaves this module
    """The file is not an mp4, or has an unsupported structure."""


def embed_recipe(path: Path, recipe: str) -> bool:
    """Add a recipe to a video, atomically.

    Args:
        path: An mp4 file; replaced when the new one is whole.
        recipe: As JSON.

    Returns:
        True when the file has a recipe now, also when it had one; False when it is no mp4 of a
        shape that can take one (such as one in fragments), and is as it was.

    Raises:
        OSError: when it cannot be read or written; it is as it was.
    """
    with path.open("rb") as file:
        try:
            boxes = list(_boxes(file, 0, os.fstat(file.fileno()).st_size))
            index = _index_of(boxes)
            file.seek(index.start)
            content = file.read(index.end - index.start)
            if RECIPE_MARKER in content:
                return True
            added = _user_data(recipe.encode("utf-8", "backslashreplace"))
            # Only media data behind the index moves when the index grows.
            moves = any(box.kind == b"mdat" and box.start > index.start for box in boxes)
            grown = _grown(content, index, added, moves=moves)
        except (_NoMp4, struct.error):
            return False
        _replace(path, file, index, grown)
    return True


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    while start < end:
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        body = 8
        # 1: the size follows in 64 bits. 0: the box extends to the end of the file.
        if size == 1:
            (size,), body = struct.unpack(">Q", head[8:16]), 16
        elif size == 0:
            size = end - start
        if size < body or start + size > end:
            raise _NoMp4
        yield _Box(kind, start, start + body, start + size)
        start += size


def _index_of(boxes: list[_Box]) -> _Box:
    kinds = [box.kind for box in boxes]
    # Fragments and segments store offsets in other ways, so such files are left alone.
    if b"ftyp" not in kinds or kinds.count(b"moov") != 1 or {b"moof", b"sidx"} & set(kinds):
        raise _NoMp4
    index = boxes[kinds.index(b"moov")]
    if index.body - index.start != 8 or index.end - index.start > MAX_INDEX_BYTES:
        raise _NoMp4
    return index


def _grown(content: bytes, index: _Box, added: bytes, *, moves: bool) -> bytes:
    grown = bytearray(content)
    if moves:
        _move_on(grown, 0, len(grown), after=index.start, by=len(added))
    struct.pack_into(">I", grown, 0, len(content) + len(added))
    return bytes(grown) + added


def _move_on(index: bytearray, start: int, end: int, *, after: int, by: int) -> None:
    """Shift the offsets in the tables of an index that point behind it."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", index, start)
        if size < 8 or start + size > end:
            raise _NoMp4
        if kind in _ABOVE_TABLES:
            _move_on(index, start + 8, start + size, after=after, by=by)
        elif kind in _TABLES:
            form = _TABLES[kind]
            (count,) = struct.unpack_from(">I", index, start + 12)
            if 16 + count * struct.calcsize(form) > size:
                raise _NoMp4
            for number in range(count):
                at = start + 16 + number * struct.calcsize(form)
                (place,) = struct.unpack_from(form, index, at)
                if place > after:
                    struct.pack_into(form, index, at, place + by)
        start += size


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _user_data(recipe: bytes) -> bytes:
    none = bytes(4)
    data = _box(b"data", struct.pack(">II", 1, 0), recipe)  # 1: UTF-8.
    own = _box(
        b"----",
        _box(b"mean", none, b"com.apple.iTunes"),
        _box(b"name", none, b"tiomagic"),
        data,
    )
    handler = _box(b"hdlr", none, none, b"mdirappl", bytes(9))
    items = _box(b"ilst", own, _box(b"\xa9cmt", data))
    return _box(b"udta", _box(b"meta", none, handler, items))


def _replace(path: Path, file: BinaryIO, index: _Box, grown: bytes) -> None:
    with replacing(path) as part, part.open("xb") as copy:
        file.seek(0)
        _copy(file, copy, index.start)
        copy.write(grown)
        file.seek(index.end)
        _copy(file, copy, None)


def _copy(source: BinaryIO, target: BinaryIO, size: int | None) -> None:
    while size is None or size > 0:
        chunk = source.read(_CHUNK if size is None else min(size, _CHUNK))
        if not chunk:
            return
        target.write(chunk)
        size = None if size is None else size - len(chunk)
