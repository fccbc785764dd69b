"""Webhooks that are to be delivered, and who pays for a job, as of 2.0.0."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SQLITE = (
    """CREATE TRIGGER tiomagic_payers_added AFTER INSERT ON tiomagic_jobs
    WHEN new.payer <> '' AND new.charge > 0 BEGIN
        INSERT INTO tiomagic_payers (payer, day, currency, charge)
        VALUES (new.payer, substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (payer, day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END""",
    """CREATE TRIGGER tiomagic_payers_changed AFTER UPDATE OF charge, currency ON tiomagic_jobs
    WHEN new.payer <> '' AND (new.charge <> old.charge OR new.currency <> old.currency) BEGIN
        UPDATE tiomagic_payers SET charge = charge - old.charge
        WHERE payer = old.payer AND day = substr(old.creation_time, 1, 10)
        AND currency = old.currency;
        INSERT INTO tiomagic_payers (payer, day, currency, charge)
        VALUES (new.payer, substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (payer, day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION tiomagic_keep_payers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            UPDATE tiomagic_payers SET charge = charge - old.charge
            WHERE payer = old.payer AND day = substr(old.creation_time, 1, 10)
            AND currency = old.currency;
        END IF;
        INSERT INTO tiomagic_payers AS sums (payer, day, currency, charge)
        VALUES (new.payer, substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (payer, day, currency) DO UPDATE SET charge = sums.charge + excluded.charge;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER tiomagic_payers_added AFTER INSERT ON tiomagic_jobs
    FOR EACH ROW WHEN (new.payer <> '' AND new.charge > 0)
    EXECUTE FUNCTION tiomagic_keep_payers()""",
    """CREATE TRIGGER tiomagic_payers_changed AFTER UPDATE OF charge, currency ON tiomagic_jobs
    FOR EACH ROW WHEN (
        new.payer <> '' AND (new.charge <> old.charge OR new.currency <> old.currency)
    ) EXECUTE FUNCTION tiomagic_keep_payers()""",
)


def upgrade() -> None:
    """Add the deliveries, and the sums of those who pay; older jobs have no payer."""
    bytewise = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("tiomagic_jobs", sa.Column("payer", bytewise, nullable=False, server_default=""))
    op.create_table(
        "tiomagic_payers",
        sa.Column("payer", bytewise, primary_key=True),
        sa.Column("day", bytewise, primary_key=True),
        sa.Column("currency", bytewise, primary_key=True),
        sa.Column("charge", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
    op.create_table(
        "tiomagic_webhooks",
        sa.Column("webhook_id", bytewise, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", bytewise, nullable=False),
        sa.Column("next_at", bytewise, nullable=False),
        sa.Column("job_id", bytewise, nullable=False),
        sa.Column("receiver", bytewise, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("host", bytewise, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("created_at", bytewise, nullable=False),
        sa.Column("settled_at", bytewise),
        sa.Column("event", sa.String),
        sa.Column("payload", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("answer", sa.Integer),
        sa.Column("trouble", sa.Text, nullable=False),
    )
    op.create_index("tiomagic_webhooks_by_state", "tiomagic_webhooks", ["state", "next_at"])
    op.create_index("tiomagic_webhooks_by_job", "tiomagic_webhooks", ["job_id"])
    op.create_index("tiomagic_webhooks_by_time", "tiomagic_webhooks", ["created_at"])
