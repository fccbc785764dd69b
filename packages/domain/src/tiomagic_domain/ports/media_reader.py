"""Port: the media reader, which fetches, checks and stores input pictures and videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.media import Media, MediaKind


class MediaReader(Protocol):
    """Fetches, checks and stores inputs, so that a job can be run again."""

    def read(self, source: object, kind: MediaKind) -> Media:
        """Fetch a picture or a video, check it, and store it under its hash.

        Args:
            source: A path, an http(s), file or data URL, bytes, a binary file object or a PIL
                image; for a video also a list of such, its frames.
            kind: The required kind.

        Raises:
            ValidationError: when it does not exist, cannot be fetched, or is of another kind; the
                message says what was found, without the field's name.
        """
        ...

    def find(self, reference: Mapping[str, Any]) -> Media:
        """Return a stored input.

        Args:
            reference: From ``Media.to_reference``.

        Raises:
            ResourceNotFoundError: when its bytes are no longer stored here.
        """
        ...
