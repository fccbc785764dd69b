"""Stores jobs in SQLite or PostgreSQL, finished videos in a folder, and a readable log.

``database``    The database: engine, tables, migrations, and the translation of its errors.
``files``       Finished videos in a folder, and the log for people.
``jobs``        Jobs and leases over SQL.
``migrations``  The migrations of the schema, for Alembic. A released revision is never edited.

SQLAlchemy is imported when a repository is opened, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiomagic_storage.files.generation_log import GenerationLog
from tiomagic_storage.files.outputs import FolderOutputStore

if TYPE_CHECKING:
    from tiomagic_storage.jobs.leases import SqlLeases
    from tiomagic_storage.jobs.repository import SqlJobRepository

__all__ = [
    "FolderOutputStore",
    "GenerationLog",
    "SqlJobRepository",
    "SqlLeases",
    "open_repository",
]


def open_repository(url: str) -> SqlJobRepository:
    """Open the job repository at a database URL; create or update its tables when needed.

    Its property ``leases`` keeps leases (the port ``Leases``) in the same database.

    Args:
        url: ``sqlite:///relative/jobs.db``, ``sqlite:////absolute/jobs.db`` or
            ``postgresql://user:password@host/database``. Missing folders of a SQLite file are made.

    Raises:
        ConfigurationError: when there is no usable database at the URL. The message names the
            place, without the password, and says what to do.
        ProcessingError: when another process holds the database for too long.
    """
    from tiomagic_storage.jobs.repository import SqlJobRepository  # noqa: PLC0415  # Heavy.

    return SqlJobRepository.open(url)


def __getattr__(name: str) -> Any:
    if name == "SqlJobRepository":
        from tiomagic_storage.jobs.repository import SqlJobRepository  # noqa: PLC0415  # Heavy.

        return SqlJobRepository
    if name == "SqlLeases":
        from tiomagic_storage.jobs.leases import SqlLeases  # noqa: PLC0415  # Heavy.

        return SqlLeases
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
