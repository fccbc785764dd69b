"""The tables of an mp4: how many samples they declare.

FFmpeg allocates an entry for each sample that a table claims, before it reads one. A file of some
hundred bytes can claim two thousand million. So the claims are compared with the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FOLDERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts"})
_MAX_DEPTH = 8
"""How deep boxes may nest; those that are read are seven deep at most."""

_ALWAYS_ALLOWED_SAMPLES, _SAMPLES_PER_BYTE, _MAX_SAMPLES = 1_000_000, 2, 20_000_000
"""Samples that any file may claim; those that it may claim for each of its bytes (compressed sound
has more samples than bytes); and the maximum, which takes half a gigabyte."""


_TABLES = {b"stsz": 8, b"stz2": 8, b"stts": 4, b"ctts": 4, b"trun": 4}
"""Offset within a table of its number of entries."""


class ClaimError(ValueError):
    """A table declares more samples than the file can hold."""


def check_tables(path: Path) -> None:
    """Check the claims of an mp4; other files pass unchecked.

    Raises:
        ClaimError: when a table claims more samples than the file can hold.
        OSError: when the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] not in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
            return
        claimed: dict[bytes, int] = {}
        most = min(_ALWAYS_ALLOWED_SAMPLES + _SAMPLES_PER_BYTE * size, _MAX_SAMPLES)
        for kind, start, end in _boxes(file, 0, size, 0):
            if kind == b"cmov":
                raise ClaimError("its index is compressed, which is not read")
            claimed[kind] = claimed.get(kind, 0) + _samples(file, kind, start, end, most)
            if claimed[kind] > most:
                raise ClaimError(
                    f"it claims to have more than {most:,} samples, and has {size:,} bytes in all"
                )


def _boxes(file: BinaryIO, start: int, end: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start of the content and the end of each box, nested ones included."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        last = end if length == 0 else min(start + length, end)
        if last <= content and length < 8:
            return
        if kind in _FOLDERS and depth < _MAX_DEPTH:
            yield from _boxes(file, content, last, depth + 1)
        else:
            yield kind, content, last
        start = last


def _samples(file: BinaryIO, kind: bytes, start: int, end: int, most: int) -> int:
    """Return how many samples a table declares; 0 for any other box."""
    if kind not in _TABLES:
        return 0
    file.seek(start + _TABLES[kind])
    count = int.from_bytes(file.read(4), "big")
    if kind not in (b"stts", b"ctts"):
        return count
    # A table of runs: how many samples, and what holds for each of them.
    total, rows = 0, min(count, (end - start - 8) // 8)
    for _ in range(rows):
        total += int.from_bytes(file.read(8)[:4], "big")
        if total > most:
            break
    return total
