"""What the database keeps by itself, so that jobs are found fast: statements by dialect.

SQLAlchemy's tables cannot say these. A fresh database runs them after its tables are made; an
upgraded one has them from its migrations, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SQLITE: Final = (
    """CREATE TRIGGER tiomagic_tags_added AFTER INSERT ON tiomagic_jobs
    WHEN new.tags <> '[]' BEGIN
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END""",
    """CREATE TRIGGER tiomagic_tags_changed AFTER UPDATE OF tags ON tiomagic_jobs
    WHEN new.tags <> old.tags BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END""",
    """CREATE TRIGGER tiomagic_tags_deleted AFTER DELETE ON tiomagic_jobs
    WHEN old.tags <> '[]' BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
    END""",
)

_POSTGRESQL: Final = (
    """CREATE FUNCTION tiomagic_keep_tags() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO tiomagic_tags (tag, creation_time, job_id)
            SELECT value, new.creation_time, new.job_id
            FROM jsonb_array_elements_text(new.tags::jsonb);
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER tiomagic_tags_added AFTER INSERT ON tiomagic_jobs
    FOR EACH ROW WHEN (new.tags <> '[]') EXECUTE FUNCTION tiomagic_keep_tags()""",
    """CREATE TRIGGER tiomagic_tags_changed AFTER UPDATE OF tags ON tiomagic_jobs
    FOR EACH ROW WHEN (new.tags <> old.tags) EXECUTE FUNCTION tiomagic_keep_tags()""",
    """CREATE TRIGGER tiomagic_tags_deleted AFTER DELETE ON tiomagic_jobs
    FOR EACH ROW WHEN (old.tags <> '[]') EXECUTE FUNCTION tiomagic_keep_tags()""",
)

STATEMENTS: Final[Mapping[str, tuple[str, ...]]] = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


def create(connection: Connection) -> None:
    """Make them in a database that has the tables and no jobs yet."""
    for statement in STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
