"""Safe writing to stdout and stderr: missing, closed, full or narrow streams never break a run.

Without a console the streams are None; an embedding program may set an object with only ``write``;
a pipe may have a narrow encoding (cp1252), be closed or full, or have lost its reader. Characters
that a stream cannot encode are written as escapes, and control codes in text are always escaped.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from typing import Any, Final, TextIO, cast

from tiomagic_domain.text import escape_control_characters, make_storable

STANDARD_STREAMS: Final = ("stdin", "stdout", "stderr")


def escape_unencodable(text: str, stream: object) -> str:
    """Return a text with escapes for what a stream cannot encode."""
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str):
        return make_storable(text)
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return make_storable(text).encode("ascii", "backslashreplace").decode("ascii")


def is_terminal(stream: object) -> bool:
    """Return whether a stream is a terminal; False for one that cannot tell."""
    ask = getattr(stream, "isatty", None)
    try:
        return bool(callable(ask) and ask())
    except (OSError, ValueError):  # The stream is closed.
        return False


def write(stream: Any, text: str) -> None:
    """Write a text that may be lost, such as a notice or progress. Never raises.

    Args:
        stream: stdout or stderr, or its replacement.
        text: Control codes in it are shown and not obeyed.
    """
    try:
        write_data(stream, text)
    except Exception:  # noqa: BLE001 - a console of another program may raise whatever it likes
        return


def write_data(stream: Any, text: str) -> None:
    """Write a text that must not be lost; nothing if there is no stream.

    Args:
        stream: stdout or its replacement.
        text: Control codes in it are shown and not obeyed.

    Raises:
        OSError: when it cannot be written: the reader has left, the disk is full.
    """
    if stream is None or getattr(stream, "closed", False):
        return
    _send(stream, escape_unencodable(escape_control_characters(text), stream))
    flush = getattr(stream, "flush", None)
    if callable(flush):
        flush()


def _send(stream: Any, text: str) -> None:
    number = _unwaiting(stream)
    if number is None:
        stream.write(text)
        return
    # The stream's own buffer would lose what the pipe does not take at once.
    stream.flush()
    _BlockingDescriptor(number).write(text.replace("\n", os.linesep).encode(stream.encoding))


def _unwaiting(stream: Any) -> int | None:
    """Return the descriptor of a non-blocking stream, else None."""
    if os.name != "posix" or not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        number = stream.fileno()
        return None if os.get_blocking(number) else number
    except (OSError, ValueError):
        return None


class _BlockingDescriptor(io.RawIOBase):
    """A writer that waits for the reader of a non-blocking descriptor."""

    def __init__(self, number: int) -> None:
        self._number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                select.select([], [self._number], [])
        return size


class _SanitizingWriter(io.TextIOBase):
    """Escapes each text before it is written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            OSError: as :func:`write_data`.
        """
        write_data(self._stream, text)
        return len(text)


class _Console(io.TextIOBase):
    """Passes on rich's output, whose texts are escaped already."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return str(getattr(self._stream, "encoding", None) or "utf-8")

    def isatty(self) -> bool:
        """Return the stream's answer."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """Return the stream's descriptor, which rich asks for the width."""
        return int(self._stream.fileno())

    def write(self, text: str) -> int:
        """Write rich's output."""
        send = getattr(self._stream, "write_raw", self._stream.write)
        send(escape_unencodable(text, self._stream))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def wrap_for_writers(stream: Any) -> TextIO:
    """Return a stream for library writers such as csv's: see :func:`write_data`."""
    return cast("TextIO", _SanitizingWriter(stream))


def wrap_for_rich(stream: Any) -> TextIO:
    """Return a stream for rich, whose own control codes reach the terminal."""
    return cast("TextIO", _Console(stream))


class SanitizedStream(io.TextIOWrapper):
    """A standard stream of the command line, which also escapes what libraries print."""

    @property
    def buffer(self) -> Any:
        """The stream below; not for click, which would bypass a narrow encoding such as ASCII."""
        if codecs.lookup(self.encoding).name == "ascii":
            raise AttributeError("buffer")
        return super().buffer

    def write(self, text: str) -> int:
        """Write a text with its control codes as escapes."""
        super().write(escape_control_characters(text))
        return len(text)

    def write_raw(self, text: str) -> int:
        """Write a text with its control codes."""
        return super().write(text)


def prepare_standard_streams() -> None:
    """Make the standard streams usable, at the start of a program.

    A closed descriptor is opened on the null device: otherwise the next opened file, such as the
    database, would get its number, and libraries would write into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Gets the lowest free descriptor, which is this one.
    for number, name in enumerate(STANDARD_STREAMS):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _opened(number))
        elif name != "stdin" and type(stream) is io.TextIOWrapper:
            setattr(sys, name, _sanitize_stream(stream))


def _opened(number: int) -> TextIO:
    mode = "w" if number else "r"
    return cast(
        "TextIO",
        open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False),
    )


def _sanitize_stream(stream: io.TextIOWrapper) -> SanitizedStream:
    stream.flush()
    number = _unwaiting(stream)
    buffering, through = stream.line_buffering, stream.write_through
    encoding = stream.encoding
    binary: Any = (
        stream.detach() if number is None else io.BufferedWriter(_BlockingDescriptor(number))
    )
    return SanitizedStream(
        binary,
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=buffering,
        write_through=through,
    )


def read_stdin() -> bytes:
    """Return all of stdin as bytes; empty if there is no stdin."""
    stream: Any = sys.stdin
    if stream is None:
        return b""
    binary = getattr(stream, "buffer", None)
    if binary is not None:
        return bytes(binary.read())
    return str(stream.read()).encode("utf-8", "surrogatepass")
