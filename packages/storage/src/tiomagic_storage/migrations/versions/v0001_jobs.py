"""The jobs, as of 2.0.0."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TABLE = "tiomagic_jobs"


def upgrade() -> None:
    """Create the table and its indexes."""
    bytewise = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        _TABLE,
        sa.Column("job_id", bytewise, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("feature", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("creation_time", bytewise, nullable=False),
        sa.Column("last_updated", bytewise, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("required_args", sa.Text, nullable=False),
        sa.Column("optional_args", sa.Text, nullable=False),
        sa.Column("call_id", sa.String),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("progress", sa.Text),
        sa.Column("result_video", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.String),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_index("tiomagic_jobs_by_time", _TABLE, ["creation_time"])
    op.create_index("tiomagic_jobs_by_status", _TABLE, ["status", "creation_time"])
    op.create_index("tiomagic_jobs_by_feature", _TABLE, ["feature", "creation_time"])
    op.create_index("tiomagic_jobs_by_model", _TABLE, ["model", "creation_time"])
    op.create_index("tiomagic_jobs_by_provider", _TABLE, ["provider", "creation_time"])
