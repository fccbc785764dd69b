"""Exit codes, and which error ends with which."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic_domain.errors import TioMagicError


class ExitCode(IntEnum):
    """What a script can rely on."""

    OK = 0
    BUG = 1
    """Something that tiomagic did not foresee."""
    USAGE = 2
    """The command line itself is wrong."""
    REFUSED = 3
    """An argument, a name or a setting is not legal; nothing was started."""
    AUTHENTICATION = 4
    FAILED = 5
    """The job failed, or a service or the disk did."""
    CANCELED = 6
    TIMEOUT = 124
    """The time given with --timeout is up; the job goes on. As of timeout(1)."""
    INTERRUPTED = 130
    """Ctrl-C. As of a shell."""


EXIT_CODES_HELP = """\b
Exit codes: 0 ok, 1 a bug, 2 wrong usage, 3 an illegal argument, name or
setting, 4 authentication, 5 the job failed (or a service or the disk did),
6 canceled, 124 timeout (the job goes on), 130 Ctrl-C.

\b
The result is on stdout; progress and messages are on stderr. --json makes
both machine-readable. Settings come from TIOMAGIC_* variables and .env."""
"""The end of the help text."""


def exit_code_of(error: TioMagicError) -> ExitCode:
    """Return the exit code of an error."""
    from tiomagic_domain import errors  # noqa: PLC0415  # Only when something went wrong.

    table: tuple[tuple[type[TioMagicError], ExitCode], ...] = (
        (errors.JobTimeoutError, ExitCode.TIMEOUT),
        (errors.GenerationCanceledError, ExitCode.CANCELED),
        (errors.AuthenticationError, ExitCode.AUTHENTICATION),
        (errors.ValidationError, ExitCode.REFUSED),
        (errors.UnknownModelError, ExitCode.REFUSED),
        (errors.UnknownProviderError, ExitCode.REFUSED),
        (errors.ResourceNotFoundError, ExitCode.REFUSED),
        (errors.ConfigurationError, ExitCode.REFUSED),
    )
    return next((code for kind, code in table if isinstance(error, kind)), ExitCode.FAILED)
