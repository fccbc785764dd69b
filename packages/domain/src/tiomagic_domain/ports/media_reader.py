"""Port: pictures and videos that the user gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.media import Media, MediaKind


class MediaReader(Protocol):
    """Fetches, checks and keeps inputs, so that a job can be made again."""

    def read(self, source: object, kind: MediaKind) -> Media:
        """Fetch a picture or a video, look inside, and keep it under its hash.

        Args:
            source: A path, an http(s), file or data URL, bytes, a binary file object or a PIL
                image; for a video also a list of such, its frames.
            kind: What it must turn out to be.

        Raises:
            ValidationError: when it is not there, cannot be fetched, or is something else; the
                message says what was found, without the field's name.
        """
        ...

    def find(self, reference: Mapping[str, Any]) -> Media:
        """Return an input that was read before.

        Args:
            reference: What ``Media.to_reference`` gave.

        Raises:
            ResourceNotFoundError: when its bytes are no longer here.
        """
        ...
