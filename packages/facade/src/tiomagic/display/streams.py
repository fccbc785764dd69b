"""The one way to stdout and stderr: whatever stream is there, writing to it never breaks a run.

A program without a console has None in their place, a host with a console of its own an object that
has ``write`` alone; a pipe may be narrow (cp1252), closed, full, or left by its reader. What a
stream cannot show is written as an escape, and no control code of anybody's text reaches it.
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
    """Return a text with escapes for what a stream's encoding does not have."""
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
    except (OSError, ValueError):  # It is closed.
        return False


def write(stream: Any, text: str) -> None:
    """Write a text that may be lost: a notice, a line of progress. Never raises.

    Args:
        stream: Whatever stands for stdout or stderr.
        text: Control codes in it are shown and not obeyed.
    """
    try:
        write_data(stream, text)
    except Exception:  # noqa: BLE001 - a console of another program may raise whatever it likes
        return


def write_data(stream: Any, text: str) -> None:
    """Write a text that matters; nothing where there is no stream.

    Args:
        stream: Whatever stands for stdout.
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
    # Its own buffer would lose what the pipe does not take at once.
    stream.flush()
    _BlockingDescriptor(number).write(text.replace("\n", os.linesep).encode(stream.encoding))


def _unwaiting(stream: Any) -> int | None:
    """Return the descriptor of a stream that does not wait for its reader, else None."""
    if os.name != "posix" or not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        number = stream.fileno()
        return None if os.get_blocking(number) else number
    except (OSError, ValueError):
        return None


class _BlockingDescriptor(io.RawIOBase):
    """A descriptor that waits for its reader, though it was set not to."""

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
    """Takes each text through the border."""

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
    """Passes on what rich makes of texts that are free of control codes already."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return str(getattr(self._stream, "encoding", None) or "utf-8")

    def isatty(self) -> bool:
        """Return what the stream says."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """Return the stream's own: rich asks it for its width."""
        return int(self._stream.fileno())

    def write(self, text: str) -> int:
        """Write what rich has made."""
        send = getattr(self._stream, "write_raw", self._stream.write)
        send(escape_unencodable(text, self._stream))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def wrap_for_writers(stream: Any) -> TextIO:
    """Return a stream for other people's writers, such as csv's: see :func:`write_data`."""
    return cast("TextIO", _SanitizingWriter(stream))


def wrap_for_rich(stream: Any) -> TextIO:
    """Return a stream for rich, whose own control codes reach the terminal."""
    return cast("TextIO", _Console(stream))


class SanitizedStream(io.TextIOWrapper):
    """A standard stream of the command line: what libraries print is shown and not obeyed, too."""

    @property
    def buffer(self) -> Any:
        """What is below; not for click, which would go past an encoding as narrow as ASCII."""
        if codecs.lookup(self.encoding).name == "ascii":
            raise AttributeError("buffer")
        return super().buffer

    def write(self, text: str) -> int:
        """Write a text with its control codes as escapes."""
        super().write(escape_control_characters(text))
        return len(text)

    def write_raw(self, text: str) -> int:
        """Write a text that may steer the terminal."""
        return super().write(text)


def prepare_standard_streams() -> None:
    """Make the standard streams of a program usable, at its start.

    A descriptor that is closed is opened on nothing: else the next file that is opened, such as the
    database, would be what every library takes for the terminal.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest that is free, which is this one.
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
    """Return all of stdin as bytes; none where there is no stdin."""
    stream: Any = sys.stdin
    if stream is None:
        return b""
    binary = getattr(stream, "buffer", None)
    if binary is not None:
        return bytes(binary.read())
    return str(stream.read()).encode("utf-8", "surrogatepass")
