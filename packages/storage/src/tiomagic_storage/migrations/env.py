"""Alembic's entry: runs the migrations on the connection that ``schema.py`` passes."""

from alembic import context

from tiomagic_storage.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The caller has opened the transaction.
    transactional_ddl=False,
)
context.run_migrations()
