"""What to say when a part of tiomagic is not installed. The one place with the command.

While the package index holds only the old 1.0.0 under the name ``tiomagic``, installing goes
through a copy of the repository. Whoever publishes 2.x changes :data:`INSTALL_COMMAND`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tiomagic_domain.errors import MissingDependencyError

INSTALL: Final = (
    "pip install ./packages/domain ./packages/media ./packages/storage ./packages/adapters-local "
    "./packages/adapters-modal './packages/facade[{extra}]'"
)
"""The command, to be run in a copy of tiomagic's repository."""

PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "local": "running models on this machine",
        "modal": "running models on Modal",
        "media": "reading pictures and videos",
        "ui": "the web page",
    }
)
"""What each part is for."""


def part_missing_error(part: str, error: ImportError) -> MissingDependencyError:
    """Return the error that tells how to install a part; the caller raises it.

    Args:
        part: A key of :data:`PURPOSES`.
        error: The import that failed.
    """
    command = INSTALL.format(extra=part)
    return MissingDependencyError(
        f"{PURPOSES[part]} needs the extra {part!r}, which is not installed "
        f"(no module {error.name!r}): in a copy of tiomagic's repository run: {command}",
        details={"extra": part, "command": command, "module": error.name},
    )
