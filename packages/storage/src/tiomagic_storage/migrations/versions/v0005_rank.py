"""The order of a queue, as of 2.0.0."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_JOBS = "tiomagic_jobs"


def upgrade() -> None:
    """Add the rank, and the index by which a worker finds its next job."""
    op.add_column(_JOBS, sa.Column("queue_rank", sa.Integer, nullable=False, server_default="0"))
    op.create_index(
        "tiomagic_jobs_by_rank",
        _JOBS,
        ["queue", "status", "queue_rank", "creation_time", "job_id"],
    )
