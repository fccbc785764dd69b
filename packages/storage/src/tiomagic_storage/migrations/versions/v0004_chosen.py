"""What the user chose of a job's arguments, as of 2.0.0."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the choices; older jobs have none, and the domain guesses them."""
    op.add_column("tiomagic_jobs", sa.Column("chosen", sa.Text))
