"""The life of a job, as of 2.0.0: queues, attempts, the user's words, and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_JOBS, _TAGS = "tiomagic_jobs", "tiomagic_tags"

_SQLITE = (
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
    # Rowids of a table without an integer key change when somebody runs VACUUM: the jobs get
    # numbers that stay. The index keeps no copy of the prompts, only which job has which three
    # characters in a row, in any case.
    """CREATE TABLE tiomagic_prompts (
        number INTEGER PRIMARY KEY, job_id VARCHAR NOT NULL UNIQUE
    )""",
    """CREATE VIRTUAL TABLE tiomagic_prompts_text
    USING fts5(prompt, content='', detail='none', tokenize='trigram')""",
    """CREATE TRIGGER tiomagic_prompts_added AFTER INSERT ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts (job_id) VALUES (new.job_id);
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = new.job_id;
    END""",
    """CREATE TRIGGER tiomagic_prompts_changed AFTER UPDATE OF prompt ON tiomagic_jobs
    WHEN new.prompt <> old.prompt BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
    END""",
    """CREATE TRIGGER tiomagic_prompts_deleted AFTER DELETE ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        DELETE FROM tiomagic_prompts WHERE job_id = old.job_id;
    END""",
    # The jobs that are there already.
    """INSERT INTO tiomagic_prompts (job_id) SELECT job_id FROM tiomagic_jobs""",
    """INSERT INTO tiomagic_prompts_text (rowid, prompt)
    SELECT number, prompt FROM tiomagic_prompts JOIN tiomagic_jobs USING (job_id)""",
)
_POSTGRESQL = (
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
    # The extension comes with PostgreSQL, but who may not create it searches without an index.
    """DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX tiomagic_jobs_by_prompt ON tiomagic_jobs
        USING gin (lower(prompt) gin_trgm_ops);
    EXCEPTION
        WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object
        THEN NULL;
    END $$""",
)


def upgrade() -> None:
    """Add what jobs learned, the tables beside them, and what keeps tags and prompts."""
    bytewise = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    for column in (
        sa.Column("queue", sa.String),
        sa.Column("retry", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("tags", sa.Text, nullable=False, server_default="[]"),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("started_at", bytewise),
        sa.Column("ended_at", bytewise),
    ):
        op.add_column(_JOBS, column)
    op.create_index("tiomagic_jobs_by_queue", _JOBS, ["queue", "status", "creation_time"])
    op.create_table(
        _TAGS,
        sa.Column("tag", bytewise, primary_key=True),
        sa.Column("creation_time", bytewise, primary_key=True),
        sa.Column("job_id", bytewise, primary_key=True),
    )
    op.create_index("tiomagic_tags_by_job", _TAGS, ["job_id"])
    op.create_table(
        "tiomagic_leases",
        sa.Column("name", bytewise, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("mark", sa.String, nullable=False),
        sa.Column("renewed_at", bytewise, nullable=False),
    )
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
