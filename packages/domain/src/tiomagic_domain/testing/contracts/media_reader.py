"""What every reader of pictures and videos does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports.media_reader import MediaReader


class MediaReaderContract:
    """What every media reader does.

    Subclass it with the fixtures ``reader``, empty at first, ``picture`` and ``video`` (sources
    that it can read, each time anew) and ``picture_bytes`` (the bytes of any picture).
    """

    def test_a_picture_is_kept_under_its_hash(self, reader: MediaReader, picture: object) -> None:
        """The bytes lie on this machine, and the hash is theirs."""
        media = reader.read(picture, MediaKind.IMAGE)
        assert media.kind is MediaKind.IMAGE
        assert media.media_type.startswith("image/")
        assert media.sha256 == hashlib.sha256(media.read_bytes()).hexdigest()
        assert media.width >= 1
        assert media.height >= 1
        assert (media.frames, media.fps) == (1, None)

    def test_a_video_has_frames_and_a_rate(self, reader: MediaReader, video: object) -> None:
        """A video is kept too, and its length and rate are known."""
        media = reader.read(video, MediaKind.VIDEO)
        assert media.kind is MediaKind.VIDEO
        assert media.sha256 == hashlib.sha256(media.read_bytes()).hexdigest()
        assert media.frames >= 1
        assert media.fps is not None
        assert media.fps > 0

    def test_bytes_are_a_source(self, reader: MediaReader, picture_bytes: bytes) -> None:
        """A picture may be given as its bytes; they have no name."""
        media = reader.read(picture_bytes, MediaKind.IMAGE)
        assert media.kind is MediaKind.IMAGE
        assert media.name is None

    def test_reading_twice_keeps_one(self, reader: MediaReader, picture_bytes: bytes) -> None:
        """The same bytes are kept once, wherever they come from."""
        first = reader.read(picture_bytes, MediaKind.IMAGE)
        second = reader.read(picture_bytes, MediaKind.IMAGE)
        assert (first.sha256, first.path) == (second.sha256, second.path)

    def test_a_reference_finds_the_bytes_again(self, reader: MediaReader, picture: object) -> None:
        """What a job records, once through JSON, is enough to find the input."""
        media = reader.read(picture, MediaKind.IMAGE)
        reference = json.loads(json.dumps(media.to_reference()))
        found = reader.find(reference)
        assert found.read_bytes() == media.read_bytes()
        assert (found.kind, found.width, found.height) == (media.kind, media.width, media.height)

    def test_a_reference_tells_no_path(self, reader: MediaReader, picture: object) -> None:
        """Records travel: where the bytes lie stays here."""
        media = reader.read(picture, MediaKind.IMAGE)
        assert str(media.path.parent) not in json.dumps(media.to_reference())

    def test_bytes_that_are_gone_are_not_found(self, reader: MediaReader, picture: object) -> None:
        """A reference to bytes that were never read, or were removed, is a clear error."""
        reference = reader.read(picture, MediaKind.IMAGE).to_reference()
        with pytest.raises(ResourceNotFoundError):
            reader.find({**reference, "sha256": "0" * 64})
        reader.find(reference).path.unlink()
        with pytest.raises(ResourceNotFoundError):
            reader.find(reference)

    def test_what_is_not_there_is_refused(self, reader: MediaReader, tmp_path: Path) -> None:
        """A path to nothing is a validation error that names it."""
        with pytest.raises(ValidationError, match=r"nothing\.png"):
            reader.read(str(tmp_path / "nothing.png"), MediaKind.IMAGE)

    def test_empty_bytes_are_refused(self, reader: MediaReader) -> None:
        """No bytes are no picture."""
        with pytest.raises(ValidationError):
            reader.read(b"", MediaKind.IMAGE)

    def test_the_wrong_kind_is_refused(self, reader: MediaReader, picture: object) -> None:
        """A still picture is no video."""
        with pytest.raises(ValidationError):
            reader.read(picture, MediaKind.VIDEO)
