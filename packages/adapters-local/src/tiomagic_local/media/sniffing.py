"""Names what a file is that cannot be used, so that an error can say what was found."""

from __future__ import annotations

from pathlib import Path

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"8BPS", "a Photoshop file"),
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
    (b"\x1aE\xdf\xa3", "a damaged Matroska or WebM video"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def describe(path: Path) -> str:
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
        brand = head[8:12]
        return "a HEIC picture" if brand in _HEIF_BRANDS else "a damaged or unfinished mp4 video"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "a RIFF file of another kind")
    return _describe_text(head)


_RIFF = {
    b"WEBP": "a damaged WebP picture",
    b"AVI ": "a damaged AVI video",
    b"WAVE": "a sound (WAV)",
}


def _describe_text(head: bytes) -> str:
    # The cut at 1024 bytes may go through a character.
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
