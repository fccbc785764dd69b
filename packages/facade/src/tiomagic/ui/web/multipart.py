"""Parses an uploaded file from ``multipart/form-data``, as it arrives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic.ui.web.uploads import IncomingFile, UploadRefusedError

# A visitor's mistakes are reported to the visitor, not on the terminal.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

MAX_PARTS: Final = 4
"""Most parts of a form: the file, and fields that a browser may add."""
BOUNDARY_BYTES: Final = 70
"""Longest boundary, by RFC 2046."""
HEADER_BYTES: Final = 4 * 2**10
"""Most bytes of a part's headers."""


class FormReader:
    """Passes the file of a form to a receiver.

    Args:
        content_type: The header of the request.
        reception: Takes the bytes.

    Raises:
        UploadRefusedError: when the request has no form.
    """

    def __init__(self, content_type: str, reception: IncomingFile) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise UploadRefusedError(415, "multipart/form-data with a file was expected")
        self._reception = reception
        self._parts = 0
        self._name = self._value = b""
        self._disposition = b""
        self._in_file = self._ended = False
        self._chunks: list[bytes] = []
        self._begun: str | None = None
        if len(options[b"boundary"]) > BOUNDARY_BYTES:
            raise UploadRefusedError(400, "the boundary of the form is too long")
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    async def read(self, body: AsyncIterator[bytes]) -> None:
        """Read the whole form.

        Raises:
            UploadRefusedError: when it is no form, or has no file or more than one.
        """
        try:
            async for chunk in body:
                self._parser.write(chunk)
                await self._keep()
            self._parser.finalize()
        except FormParserError as error:
            raise UploadRefusedError(400, "it is no form with a file") from error
        if not self._reception.file_ids:
            raise UploadRefusedError(400, "there is no file in it")
        if not self._ended:
            raise UploadRefusedError(400, "the end of the file has not arrived")

    async def _keep(self) -> None:
        """Write received bytes in a thread, because the event loop serves all other requests."""
        begun, self._begun = self._begun, None
        chunks, self._chunks = self._chunks, []
        if begun is not None or chunks:
            await asyncio.to_thread(self._write, begun, chunks)

    def _write(self, begun: str | None, chunks: list[bytes]) -> None:
        if begun is not None:
            self._reception.begin(begun)
        for chunk in chunks:
            self._reception.write(chunk)

    def _on_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise UploadRefusedError(413, "one file at a time")
        self._in_file = False
        self._disposition = self._name = self._value = b""

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        # A header may arrive in several pieces.
        self._name = self._bounded(self._name + data[start:end])

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def _on_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename")
        # A part without a file name is a form field, which is ignored.
        self._in_file = name is not None
        if name is None:
            return
        if self._begun is not None or self._reception.file_ids:
            raise UploadRefusedError(413, "one file at a time")
        self._begun = replace_invalid_characters(name.decode("utf-8", "replace"))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._chunks.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True

    def _bounded(self, header: bytes) -> bytes:
        if len(header) > HEADER_BYTES:
            raise UploadRefusedError(400, "a header of the form is too long")
        return header
