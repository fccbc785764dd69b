"""The segments of a JPEG: its scans, and whether the picture is whole without its end marker."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

END = b"\xff\xd9"
"""The marker at the end (EOI)."""

_START_OF_SCAN, _FRAMES = 0xDA, frozenset({0xC0, 0xC1, 0xC2})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_COEFFICIENTS = 64

_OTHER_BITS = b"\x55\xaa\x33\x0f" * 512
"""Bytes appended to a picture to test whether the decoder still reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One pass over a picture."""

    components: tuple[int, ...]
    """Ids of the colours in it."""
    first: int
    """The first coefficient, 0 to 63."""
    last: int
    """The last coefficient, 0 to 63."""
    low_bit: int
    """Bits of the coefficients that a later scan adds; 0 when they are complete."""


def count_scans(path: Path) -> int:
    """Return an upper bound on the scans of a JPEG; metadata may contain bytes like a scan's."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        count, place = 0, -2
        while (place := data.find(b"\xff\xda", place + 2)) >= 0:
            count += 1
        return count


def restore_end_marker(data: bytes) -> bytes | None:
    """Return a JPEG that lacks only its end marker, with that marker; None for any other.

    The test: other bits are appended to the data. If they change the picture, it was not whole.
    """
    if END in data[-2:] or not _is_complete(data):
        return None
    kept = data.removesuffix(END[:1])
    plain, probed = (_decoded(kept + more + END) for more in (b"", _OTHER_BITS))
    if plain is None or probed is None or ImageChops.difference(plain, probed).getbbox():
        return None
    return kept + END


def _decoded(data: bytes) -> Image.Image | None:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        try:
            image.load()
        except OSError:
            return None
        # These modes can be compared at once; four colours only channel by channel.
        return image.convert("RGB") if image.mode == "CMYK" else image.copy()


def _is_complete(data: bytes) -> bool:
    """Say whether the scans, taken together, hold every coefficient of every colour."""
    components: tuple[int, ...] = ()
    missing: set[tuple[int, int]] = set()
    for marker, body in _segments(data):
        if marker in _FRAMES:
            components = tuple(body[6 + 3 * index] for index in range(body[5]))
            missing = {(part, k) for part in components for k in range(_COEFFICIENTS)}
        elif marker == _START_OF_SCAN:
            scan = _scan(body)
            if scan.low_bit == 0:
                done = range(scan.first, scan.last + 1)
                missing -= {(part, k) for part in scan.components for k in done}
    return bool(components) and not missing


def _scan(body: bytes) -> Scan:
    count = body[0]
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    components = tuple(body[1 + 2 * index] for index in range(count))
    return Scan(components=components, first=first, last=last, low_bit=bits & 15)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each marker with its data, up to the end of the picture or the file."""
    place = 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 1:
        marker = data[place + 1]
        place += 1
        # 0 marks a byte of picture data, 255 is padding.
        if marker in (0x00, 0xFF) or marker in _WITHOUT_LENGTH:
            continue
        if marker == END[1]:
            return
        length = int.from_bytes(data[place + 1 : place + 3], "big")
        yield marker, bytes(data[place + 3 : place + 1 + length])
        place += 1 + length
