"""The error and the install command when an extra of tiomagic is not installed.

While the package index holds only the old 1.0.0 under the name ``tiomagic``, installing goes
through a copy of the repository. When 2.x is published, :data:`INSTALL_COMMAND` becomes
``pip install 'tiomagic[{extra}]'``.
"""

from __future__ import annotations

from typing import Final

from tiomagic_domain.errors import MissingDependencyError

INSTALL_COMMAND: Final = (
    "pip install ./packages/domain ./packages/media ./packages/storage ./packages/adapters-local "
    "./packages/adapters-modal ./packages/adapters-hosted ./packages/adapters-ray "
    "./packages/server './packages/facade[{extra}]'"
)
"""The command, to be run in a copy of tiomagic's repository."""


def missing_extra_error(
    extra: str, purpose: str, *, module: str | None = None
) -> MissingDependencyError:
    """Return the error that says how to install an extra; the caller raises it.

    Args:
        extra: An extra of the distribution ``tiomagic``.
        purpose: What needs it, as the start of a sentence.
        module: The module whose import failed.
    """
    command = INSTALL_COMMAND.format(extra=extra)
    what = f" (no module {module!r})" if module else ""
    return MissingDependencyError(
        f"{purpose} needs the extra {extra!r}, which is not installed{what}: "
        f"in a copy of tiomagic's repository run: {command}",
        details={"extra": extra, "command": command, "module": module},
    )
