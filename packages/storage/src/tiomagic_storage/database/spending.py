"""What keeps the sums of a day's costs equal to the jobs': triggers in both databases.

A job's row says what it counts for. A budget has to know the sum of up to a month of jobs before
each submission, so the sums of the days are kept beside them, in the statement that writes a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SQLITE: Final = (
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
_POSTGRESQL: Final = (
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

STATEMENTS: Final[Mapping[str, tuple[str, ...]]] = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


def create_spending_triggers(connection: Connection) -> None:
    """Create the triggers in a database that has the tables and no jobs yet."""
    for statement in STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
