"""Turns an input into a stream of bytes: a path, URL, data URL, bytes, file object or PIL image."""

from __future__ import annotations

import base64
import binascii
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_domain.suggestions import did_you_mean
from tiomagic_media.decode.sequences import frames_in, is_array, write_sequence
from tiomagic_media.limits import MediaLimits

_CHUNK = 1 << 20
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)
"""Errors of the operating system for paths that cannot exist."""

_KINDS = {MediaKind.IMAGE: "a picture", MediaKind.VIDEO: "a video"}

Download = Callable[[str], Iterator[bytes]]
"""Gives the bytes behind an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stream of bytes and its name."""

    chunks: Iterator[bytes]
    """The bytes; reading them may raise ValidationError."""
    name: str | None = None
    """The file's own name; None for bytes."""


def open_source(
    source: object, kind: MediaKind, *, limits: MediaLimits, download: Download
) -> Source:
    """Return the bytes of a path, an address, a data URL, bytes, a file object or a PIL image.

    A video may also be given as its frames: a folder, a pattern such as ``frame_%04d.png``, a list
    of whatever a picture may be, or an array.

    Args:
        source: What the user gave.
        kind: What it is meant to be.
        limits: Bounds on the size.
        download: Fetches http(s) addresses.

    Raises:
        ValidationError: when it is nothing of the kind, or not there.
    """
    if kind is MediaKind.VIDEO and (isinstance(source, list | tuple) or is_array(source)):
        return _frames(cast("Sequence[Any]", source), None, limits, download)
    match source:
        case str():
            return _text(source, kind, limits, download)
        case os.PathLike():
            return _path(Path(os.fsdecode(source)), kind, limits, download)
        case bytes() | bytearray() | memoryview():
            return _bytes(source, limits)
    if _is_pil_image(source):
        if kind is MediaKind.VIDEO:
            raise ValidationError(
                "this is one picture; a video is needed", code=ErrorCode.NOT_A_VIDEO
            )
        return Source(chunks=iter((_png(source),)))
    if callable(getattr(source, "read", None)):
        return _file_object(source, limits)
    raise ValidationError(
        f"something of type {type(source).__name__} is not {_KINDS[kind]}: give a path, a URL, a "
        "data URL, bytes or an open binary file",
        code=ErrorCode.NOT_MEDIA,
    )


def _frames(
    frames: Sequence[Any], name: str | None, limits: MediaLimits, download: Download
) -> Source:
    def fetch(frame: object) -> Iterator[bytes]:
        return open_source(frame, MediaKind.IMAGE, limits=limits, download=download).chunks

    return Source(chunks=write_sequence(frames, fetch, limits), name=name)


def _text(text: str, kind: MediaKind, limits: MediaLimits, download: Download) -> Source:
    given = text.strip()
    if not given:
        raise ValidationError("the path is empty", code=ErrorCode.NOT_FOUND)
    if given[:5].lower() == "data:":
        return _data_url(given, limits)
    scheme = _SCHEME.match(given)
    if scheme is None:
        return _path(Path(text), kind, limits, download)
    if scheme[1].lower() == "file":
        return _path(_file_url(given), kind, limits, download)
    if scheme[1].lower() not in ("http", "https"):
        raise ValidationError(
            f"addresses start with http://, https:// or file://, not {scheme[1]}://; "
            "for a file on this machine give its path",
            code=ErrorCode.CANNOT_FETCH,
        )
    return Source(chunks=download(given), name=_name_in(given))


def _file_url(url: str) -> Path:
    """Return the path of an address such as ``file:///home/ann/a%20cat.png`` (RFC 8089)."""
    host, slash, rest = url.split("://", 1)[1].partition("/")
    if host.lower() not in ("", "localhost"):
        raise ValidationError(
            f"the file:// address names the machine {host!r}; a file of this machine has three "
            "slashes: file:///",
            code=ErrorCode.CANNOT_FETCH,
        )
    # A query and a fragment are no part of the file's name.
    path = os.fsdecode(unquote_to_bytes(re.split(r"[?#]", slash + rest, maxsplit=1)[0]))
    # file:///C:/film.mp4: the drive comes first.
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)


def _name_in(address: str) -> str | None:
    # No URL parser here: the download checks the address.
    path = re.split(r"[?#]", address.split("://", 1)[1], maxsplit=1)[0].partition("/")[2]
    name = unquote_to_bytes(path.rpartition("/")[2]).decode("utf-8", "replace")
    return PurePosixPath(name).name[:120] or None


def _data_url(url: str, limits: MediaLimits) -> Source:
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise ValidationError("the data URL has no comma before its data", code=ErrorCode.DATA_URL)
    # Base64 and percent-encoding only make data longer, so this bound refuses nothing valid.
    if len(body) > 4 * limits.bytes:
        raise _too_large(limits)
    content = unquote_to_bytes(body)
    if head.lower().endswith(";base64"):
        try:
            packed = b"".join(content.split())
            content = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except binascii.Error as error:
            raise ValidationError(
                "the data URL says base64, but its data is not", code=ErrorCode.DATA_URL
            ) from error
    return _bytes(content, limits)


def _bytes(content: bytes | bytearray | memoryview, limits: MediaLimits) -> Source:
    view = memoryview(content).cast("B") if isinstance(content, memoryview) else content
    if len(view) > limits.bytes:
        raise _too_large(limits)
    if not len(view):
        raise ValidationError("there are no bytes in it", code=ErrorCode.EMPTY)
    return Source(chunks=iter((bytes(view),)))


def _path(path: Path, kind: MediaKind, limits: MediaLimits, download: Download) -> Source:
    try:
        path = path.expanduser()
        frames = frames_in(path) if kind is MediaKind.VIDEO else None
        if frames is not None:
            return _frames(frames, path.name or None, limits, download)
    except ValidationError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_there(path, error) from error
    try:
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_there(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ValidationError(f"{str(path)!r} is a folder; give a file", code=ErrorCode.NOT_A_FILE)
    # A pipe or a device may have no end.
    if not stat.S_ISREG(status.st_mode):
        raise ValidationError(f"{str(path)!r} is not a regular file", code=ErrorCode.NOT_A_FILE)
    if status.st_size == 0:
        raise ValidationError(f"the file {path.name!r} is empty", code=ErrorCode.EMPTY)
    if status.st_size > limits.bytes:
        raise _too_large(limits)
    try:
        file = path.open("rb")
    except OSError as error:
        raise _not_readable(path, error) from error
    return Source(chunks=_file_chunks(file, path, limits), name=path.name)


def _file_chunks(file: io.BufferedReader, path: Path, limits: MediaLimits) -> Iterator[bytes]:
    with file:
        try:
            yield from _bounded(file.read, limits)
        except OSError as error:
            raise _not_readable(path, error) from error


def _not_readable(path: Path, error: OSError) -> ValidationError:
    reason = error.strerror or type(error).__name__
    return ValidationError(
        f"the file {str(path)!r} cannot be read: {reason}", code=ErrorCode.NOT_READABLE
    )


def _not_there(path: Path, error: Exception) -> ValidationError:
    if isinstance(error, OSError) and error.errno not in _NOWHERE:
        return _not_readable(path, error)
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ValidationError(
            "this is not a path that can exist; data in base64 is given as data:image/png;base64,…",
            code=ErrorCode.NOT_FOUND,
        )
    folder = path.parent
    if not folder.is_dir():
        return ValidationError(
            f"there is no file {str(path)!r}: there is not even a folder {str(folder)!r}",
            code=ErrorCode.NOT_FOUND,
        )
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        names = []
    hint = did_you_mean(path.name, names)
    return ValidationError(f"there is no file {str(path)!r}.{hint}", code=ErrorCode.NOT_FOUND)


def _file_object(file: Any, limits: MediaLimits) -> Source:
    def read(size: int) -> bytes:
        try:
            chunk = file.read(size)
        except (OSError, ValueError) as error:
            raise ValidationError(f"the file object cannot be read: {error}") from error
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise ValidationError(
                f"the file object gives {type(chunk).__name__} instead of bytes; "
                "open the file in binary mode",
                code=ErrorCode.NOT_BINARY,
            )
        return bytes(chunk)

    name = getattr(file, "name", None)
    shown = Path(name).name if isinstance(name, str) else None
    return Source(chunks=_not_empty(_bounded(read, limits)), name=shown or None)


def _not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    if not first:
        raise ValidationError(
            "the file object gives no bytes from where it stands; was it read before? "
            "seek(0) takes it back to its beginning",
            code=ErrorCode.EMPTY,
        )
    yield first
    yield from chunks


def _bounded(read: Callable[[int], bytes], limits: MediaLimits) -> Iterator[bytes]:
    received = 0
    while chunk := read(_CHUNK):
        received += len(chunk)
        if received > limits.bytes:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: MediaLimits) -> ValidationError:
    return ValidationError(
        f"this is larger than {limits.bytes:,} bytes, the most that is read",
        code=ErrorCode.TOO_LARGE,
    )


def _is_pil_image(source: object) -> bool:
    # A caller with a PIL image has imported PIL; for all others the import would be wasted time.
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(source, module.Image)


def _png(image: Any) -> bytes:
    from tiomagic_media.decode.images import DECODE_ERRORS, to_png  # Heavy.

    try:
        return to_png(image)
    except DECODE_ERRORS as error:
        raise ValidationError(
            f"the PIL image cannot be used: {error}", code=ErrorCode.DAMAGED
        ) from error
