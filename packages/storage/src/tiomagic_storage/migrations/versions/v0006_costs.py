"""What jobs cost, as of 2.0.0: columns to sum by, and the sums of each day."""

import json
import math

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_JOBS = "tiomagic_jobs"

_SQLITE = (
    """CREATE TRIGGER tiomagic_spending_added AFTER INSERT ON tiomagic_jobs
    WHEN new.charge > 0 BEGIN
        INSERT INTO tiomagic_spending (day, currency, charge)
        VALUES (substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END""",
    """CREATE TRIGGER tiomagic_spending_changed AFTER UPDATE OF charge, currency ON tiomagic_jobs
    WHEN new.charge <> old.charge OR new.currency <> old.currency BEGIN
        UPDATE tiomagic_spending SET charge = charge - old.charge
        WHERE day = substr(old.creation_time, 1, 10) AND currency = old.currency;
        INSERT INTO tiomagic_spending (day, currency, charge)
        VALUES (substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION tiomagic_keep_spending() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            UPDATE tiomagic_spending SET charge = charge - old.charge
            WHERE day = substr(old.creation_time, 1, 10) AND currency = old.currency;
        END IF;
        INSERT INTO tiomagic_spending AS sums (day, currency, charge)
        VALUES (substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (day, currency) DO UPDATE SET charge = sums.charge + excluded.charge;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER tiomagic_spending_added AFTER INSERT ON tiomagic_jobs
    FOR EACH ROW WHEN (new.charge > 0) EXECUTE FUNCTION tiomagic_keep_spending()""",
    """CREATE TRIGGER tiomagic_spending_changed AFTER UPDATE OF charge, currency ON tiomagic_jobs
    FOR EACH ROW WHEN (new.charge <> old.charge OR new.currency <> old.currency)
    EXECUTE FUNCTION tiomagic_keep_spending()""",
)


def upgrade() -> None:
    """Add the columns and the sums, and take what older jobs are known to have cost."""
    bytewise = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column(_JOBS, sa.Column("charge", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column(_JOBS, sa.Column("currency", bytewise, nullable=False, server_default=""))
    op.add_column(
        _JOBS, sa.Column("charge_is_real", sa.Integer, nullable=False, server_default="0")
    )
    op.create_table(
        "tiomagic_spending",
        sa.Column("day", bytewise, primary_key=True),
        sa.Column("currency", bytewise, primary_key=True),
        sa.Column("charge", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
    _fill(connection)


def _fill(connection: sa.Connection) -> None:
    """Take what the runs of older jobs are known to have cost from their facts."""
    ended = "status IN ('completed', 'failed', 'canceled')"
    found = connection.exec_driver_sql(
        f"SELECT job_id, facts FROM tiomagic_jobs WHERE {ended} AND facts LIKE '%%\"cost\"%%'"  # noqa: S608
    ).all()
    fill = sa.text(
        "UPDATE tiomagic_jobs SET charge = :charge, currency = :currency, charge_is_real = 1"
        " WHERE job_id = :job_id"
    )
    for job_id, facts in found:
        cost = json.loads(facts).get("cost")
        if not isinstance(cost, dict) or cost.get("per", "run") != "run":
            continue
        amount = cost.get("amount")
        if isinstance(amount, int | float) and math.isfinite(amount) and amount > 0:
            charge, currency = round(amount * 1_000_000), str(cost.get("currency", "USD"))
            connection.execute(fill, {"charge": charge, "currency": currency, "job_id": job_id})
