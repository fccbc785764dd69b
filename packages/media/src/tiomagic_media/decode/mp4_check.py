"""Checks that fetched bytes are a whole mp4, by its boxes (size, four letters, content)."""

from __future__ import annotations

from typing import Final

_HEADER_BYTES: Final = 8
_LONG_HEADER_BYTES: Final = 16


def find_mp4_problem(data: bytes) -> str | None:
    """Return why bytes are not a whole mp4, by its boxes; None when they are.

    The frames are not decoded: the hash of the video is compared elsewhere.
    """
    if not data:
        return "it is empty"
    kinds: list[bytes] = []
    place = 0
    while place < len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        header = _HEADER_BYTES
        if size == 1:
            size = int.from_bytes(data[place + _HEADER_BYTES : place + _LONG_HEADER_BYTES], "big")
            header = _LONG_HEADER_BYTES
        elif size == 0:
            size = len(data) - place  # Size 0: the box extends to the end.
        if not kinds and kind != b"ftyp":
            return f"it begins with {data[:16]!r}"
        if size < header or place + size > len(data):
            return f"it ends within its part {kind.decode('latin-1')!r}"
        kinds.append(kind)
        place += size
    missing = [kind.decode() for kind in (b"moov", b"mdat") if kind not in kinds]
    return f"it has no {' and no '.join(missing)}" if missing else None
