"""The extras of tiomagic, and the error when one is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tiomagic_domain.entry_points import find_entry_points
from tiomagic_domain.errors import MissingDependencyError
from tiomagic_domain.extras import missing_extra_error

PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "media": "reading pictures and videos",
        "serve": "the server",
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


def load_server(part: str = "serve") -> Any:
    """Return a module of the server's package: the one that serves.

    The server's package stands on this one, which therefore finds it as others find a plug-in.

    Args:
        part: ``serve`` for clients over HTTP, ``mcp`` for an agent over standard input.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    for entry in find_entry_points("tiomagic.server"):
        if entry.name != part:
            continue
        try:
            return entry.load()
        except ImportError as error:
            raise part_missing_error("serve", error) from error
    raise part_missing_error("serve", ImportError(name="tiomagic_server"))
