"""HEIC pictures, box by box: one tile or many, as phones write them."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pillow_heif
from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def heic(image: Image.Image, **options: object) -> bytes:
    """Return a picture as HEIC in one piece."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, chroma=444, **options)
    return buffer.getvalue()


def tiled_heic(pixels: NDArray[np.uint8], side: int) -> bytes:
    """Return a picture, (H, W, 3), as HEIC in square tiles; sides are multiples of the tile's."""
    height, width = pixels.shape[:2]
    tiles = [
        heic(Image.fromarray(pixels[top : top + side, left : left + side]))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    samples = [_content(tile, b"mdat") for tile in tiles]
    grid = struct.pack(">4BHH", 0, 0, height // side - 1, width // side - 1, width, height)
    properties = [
        _box(b"hvcC", _content(tiles[0], b"hvcC")),
        _full(b"ispe", 0, struct.pack(">II", side, side)),
        _full(b"ispe", 0, struct.pack(">II", width, height)),
    ]
    count = len(tiles)
    uses = struct.pack(">I", count + 1)
    for item in range(1, count + 1):
        uses += struct.pack(">HB", item, 2) + b"\x81\x02"
    uses += struct.pack(">HB", count + 1, 1) + b"\x03"
    kinds = [b"hvc1"] * count + [b"grid"]
    infos = [
        _full(b"infe", 2, struct.pack(">HH", item, 0), kind, b"\0")
        for item, kind in enumerate(kinds, 1)
    ]
    parts = struct.pack(f">HH{count}H", count + 1, count, *range(1, count + 1))
    head = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(offset: int) -> bytes:
        places = struct.pack(">H", count + 1)
        for item, content in enumerate([*samples, grid], 1):
            places += struct.pack(">HHHII", item, 0, 1, offset, len(content))
            offset += len(content)
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            _full(b"pitm", 0, struct.pack(">H", count + 1)),
            _full(b"iinf", 0, struct.pack(">H", count + 1), *infos),
            _full(b"iref", 0, _box(b"dimg", parts)),
            _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", 0, uses)),
            _full(b"iloc", 0, b"\x44\0", places),
        )

    before = len(head) + len(meta(0)) + 8
    return head + meta(before) + _box(b"mdat", *samples, grid)


def _content(data: bytes, kind: bytes) -> bytes:
    place = data.index(kind)
    (length,) = struct.unpack(">I", data[place - 4 : place])
    return data[place + 4 : place - 4 + length]


def _box(kind: bytes, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)
