"""What to say when a part of this package is not installed.

One place for the command, because it changes once: while the package index holds only the old 1.0.0
under the name ``tiomagic``, installing goes through a copy of the repository. Whoever publishes
2.x changes :data:`INSTALL_COMMAND` to ``pip install 'tiomagic[{extra}]'``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tiomagic_domain.errors import MissingDependencyError

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "pose": "finding the poses in a guiding video",
    }
)
"""What each extra of this package is for."""

INSTALL = "pip install ./packages/domain './packages/media[{extra}]'"
"""The command, to be run in a copy of tiomagic's repository."""


def missing(extra: str, *, module: str | None = None) -> MissingDependencyError:
    """Return the error that tells how to install an extra; the caller raises it.

    Args:
        extra: A key of :data:`PURPOSES`.
        module: The module whose import failed, for the details.
    """
    command = INSTALL.format(extra=extra)
    return MissingDependencyError(
        f"{PURPOSES[extra]} needs the extra {extra!r}, which is not installed: "
        f"in a copy of tiomagic's repository run: {command}",
        details={"extra": extra, "command": command, "module": module},
    )
