"""The extras of tiomagic, and the error when one is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tiomagic_domain.errors import MissingDependencyError
from tiomagic_domain.extras import missing_extra_error

PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "media": "reading pictures and videos",
        "ui": "the web page",
    }
)
"""What each part is for that is no provider."""


def part_missing_error(part: str, error: ImportError) -> MissingDependencyError:
    """Return the error with the command that installs a part; the caller raises it.

    Args:
        part: A key of :data:`PURPOSES`.
        error: The import that failed.
    """
    return missing_extra_error(part, PURPOSES[part], module=error.name)
