"""Fake readers of media: facts of a file and the white of a mask as registered; nothing decodes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.suggestions import shorten_repr

if TYPE_CHECKING:
    from tiomagic_domain.ports.mask_reader import MaskReader

MEDIA_TYPES = {MediaKind.IMAGE: "image/png", MediaKind.VIDEO: "video/mp4"}


class FakeMediaReader:
    """Reads names that were added before, and any bytes. Thread-safe.

    Args:
        folder: Where the bytes are kept, each file under its hash.
        size: Width and height in pixels of what is given as bytes.

    Attributes:
        kept: What was read, by hash, for tests to look at.
    """

    def __init__(self, folder: Path, *, size: tuple[int, int] = (832, 480)) -> None:
        self.kept: dict[str, Media] = {}
        self._folder = folder
        self._size = size
        self._named: dict[str, Media] = {}
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        kind: MediaKind = MediaKind.IMAGE,
        *,
        width: int = 832,
        height: int = 480,
        frames: int | None = None,
        content: bytes | None = None,
    ) -> Media:
        """Make a path or URL readable.

        Args:
            name: What a caller will give.
            kind: What it is.
            width: Pixels.
            height: Pixels.
            frames: Frames of a video; 16 when left out, and 1 for a picture.
            content: The bytes; made from the name when left out.
        """
        media = self._keep(content or f"{kind} {name}".encode(), kind, (width, height), name)
        if frames is not None:
            media = replace(media, frames=frames)
        with self._lock:
            self.kept[media.sha256] = media
            self._named[name] = media
        return media

    def read(self, source: object, kind: MediaKind) -> Media:
        """Return what was added under a name, or keep bytes as what they are asked to be.

        A list of bytes is a video of so many frames.
        """
        if isinstance(source, list) and source and all(isinstance(one, bytes) for one in source):
            whole = self._keep(b"".join(source), kind, self._size, None)
            with self._lock:
                self.kept[whole.sha256] = whole = replace(whole, frames=len(source))
            return whole
        if isinstance(source, bytes) and source:
            return self._keep(source, kind, self._size, None)
        media = self._named.get(str(source)) if isinstance(source, str | Path) else None
        if media is None:
            # A path is named to its end, however deep it lies.
            name = repr(str(source)) if isinstance(source, str | Path) else shorten_repr(source)
            raise ValidationError(f"{name} is not there")
        if media.kind is not kind:
            raise ValidationError(f"{shorten_repr(source)} is no {kind} but a {media.kind}")
        with self._lock:
            self.kept[media.sha256] = media
        return media

    def find(self, reference: Mapping[str, Any]) -> Media:
        """Return an input that was read before."""
        sha256 = str(reference.get("sha256"))
        with self._lock:
            media = self.kept.get(sha256)
        if media is None or not media.path.exists():
            raise ResourceNotFoundError(f"the bytes of {sha256[:12]} are no longer here")
        return media

    def _keep(
        self, content: bytes, kind: MediaKind, size: tuple[int, int], name: str | None
    ) -> Media:
        sha256 = hashlib.sha256(content).hexdigest()
        media_type = MEDIA_TYPES[kind]
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{sha256}.{media_type.rpartition('/')[2]}"
        path.write_bytes(content)
        is_video = kind is MediaKind.VIDEO
        media = Media(
            kind=kind,
            sha256=sha256,
            path=path,
            media_type=media_type,
            width=size[0],
            height=size[1],
            frames=16 if is_video else 1,
            fps=16.0 if is_video else None,
            name=Path(name).name if name else None,
        )
        with self._lock:
            self.kept[sha256] = media
        return media


class FakeMaskReader:
    """Knows masks by their hash; half of any other one is white.

    Attributes:
        white_parts: Which part of each mask is white, by its hash.
    """

    def __init__(self) -> None:
        self.white_parts: dict[str, float] = {}

    def white_part(self, mask: Media) -> float:
        """Return what the test said; see the port."""
        return self.white_parts.get(mask.sha256, 0.5)


if TYPE_CHECKING:
    _: MaskReader = FakeMaskReader()
