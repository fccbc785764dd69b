"""Recognises failures of the machine, not of the job, which are worth a retry later.

With a full disk, a folder that cannot be written, an unreachable service or a lost device, every
job of the queue would fail. So the jobs wait.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError

ENVIRONMENT_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "ENODEV", "ENXIO", "EHOSTDOWN"),
        *("ENOMEM", "EAGAIN", "EMFILE", "ENFILE", "ENOTCONN", "ETIMEDOUT", "ENOLCK"),
    )
    if hasattr(errno, name)
)
"""Errors of the system: no space, no memory, no descriptors, a lost drive or device."""

ENVIRONMENT_CODES = frozenset(
    {
        *(ErrorCode.DEVICE_LOST, ErrorCode.DEVICE_MISSING),
        *(ErrorCode.DISK_FULL, ErrorCode.DATABASE_BUSY, ErrorCode.DATABASE_UNAVAILABLE),
        *(ErrorCode.DATABASE_UNWRITABLE, ErrorCode.INPUTS_NOT_WRITABLE),
        *(ErrorCode.OUTPUT_UNWRITABLE, ErrorCode.SPOOL_UNWRITABLE),
    }
)
"""Codes of our own errors."""

MAX_CAUSE_DEPTH = 20
"""Most causes of causes that are checked."""


def is_environmental(error: BaseException) -> bool:
    """Return whether a failure is the machine's, and may pass."""
    return any(_is_one(each) for each in _with_causes(error))


def _is_one(error: BaseException) -> bool:
    if isinstance(error, TioMagicError) and (error.code in ENVIRONMENT_CODES or error.retryable):
        return True
    if isinstance(error, MemoryError):
        return True
    # Libraries have their own exception classes with the system's errno.
    return getattr(error, "errno", None) in ENVIRONMENT_ERRNOS


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(MAX_CAUSE_DEPTH):
        if current is None:
            return
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
