"""A caller's own key for a call, as of 2.0.0: one stored job has it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_JOBS = "tiomagic_jobs"


def upgrade() -> None:
    """Add the key, and what keeps two jobs from having the same."""
    bytewise = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column(_JOBS, sa.Column("idempotency_key", bytewise))
    op.create_index("tiomagic_jobs_by_key", _JOBS, ["idempotency_key"], unique=True)
