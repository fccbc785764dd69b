"""Recognises files that cannot be used, so that an error can name what was found."""

from __future__ import annotations

from pathlib import Path

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"8BPS", "a Photoshop file (PSD)"),
    (b"%!PS", "a PostScript file"),
    (b"ID3", "a sound (MP3)"),
    (b"\xff\xfb", "a sound (MP3)"),
    (b"fLaC", "a sound (FLAC)"),
    (b"#EXTM3U", "a play list"),
    (b"version https://git-lfs", "a pointer of git-lfs, not the file itself"),
    (b"\x89PNG\r\n\x1a\n", "a damaged PNG picture"),
    (b"\xff\xd8\xff", "a damaged JPEG picture"),
    (b"GIF8", "a damaged GIF picture"),
    (b"BM", "a damaged BMP picture"),
    (b"II*\0", "a damaged TIFF picture"),
    (b"MM\0*", "a damaged TIFF picture"),
    (b"icns", "a set of icons (ICNS)"),
    (b"\0\0\1\0", "a set of icons (ICO)"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"qoif", "a QOI picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"OggS", "a damaged Ogg video"),
    (b"FLV", "a damaged FLV video"),
    (b"\x1aE\xdf\xa3", "a damaged Matroska or WebM video"),
)
_STILL_BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC",
    b"hevx": "HEIC", b"hevm": "HEIC", b"hevs": "HEIC", b"mif1": "HEIC", b"mif2": "HEIC",
    b"msf1": "HEIC", b"miaf": "HEIC", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
"""Pictures in boxes like those of an mp4, by their first brand. FFmpeg opens them as a video of one
frame, or of one tile."""


def picture_in_boxes(path: Path) -> str | None:
    """Return ``HEIC`` or ``AVIF`` for such a picture, whole or damaged; None for anything else."""
    with path.open("rb") as file:
        head = file.read(12)
    return _STILL_BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None


def describe_content(path: Path) -> str:
    """Return what a file seems to be, with its article, such as ``a web page (HTML)``.

    Args:
        path: A file that can be read and is not empty.
    """
    with path.open("rb") as file:
        head = file.read(1024)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        still = _STILL_BRANDS.get(head[8:12])
        return f"a damaged {still} picture" if still else "a damaged or unfinished mp4 video"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "a RIFF file of another kind")
    return _describe_text(head)


_RIFF = {
    b"WEBP": "a damaged WebP picture",
    b"AVI ": "a damaged AVI video",
    b"WAVE": "a sound (WAV)",
}


def _describe_text(head: bytes) -> str:
    # The first 1024 bytes may end in the middle of a character.
    text = head.decode("utf-8", errors="ignore")
    if len(text.encode()) < len(head) - 3 or any(
        ord(char) < 32 and char not in "\t\n\r\f" for char in text
    ):
        return "data of an unknown kind"
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "a web page (HTML)"
    if "<svg" in start:
        return "an SVG drawing"
    if start.startswith(("{", "[")):
        return "text (JSON)"
    return "text"
