"""The small ports that the service fills itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.media import Media, MediaKind


class MachineClock:
    """The port ``Clock``."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""
        time.sleep(max(seconds, 0))


class WordsOnly:
    """The port ``MediaReader`` of a service that takes no pictures."""

    def read(self, source: object, kind: MediaKind) -> Media:  # noqa: ARG002 - the port's own
        """Refuse what the service has no use for."""
        raise ValidationError(f"this service reads no {kind}")

    def find(self, reference: Mapping[str, Any]) -> Media:  # noqa: ARG002 - the port's own
        """Find nothing: nothing was ever read."""
        raise ResourceNotFoundError("this service keeps no pictures")
