"""Alembic's entry: runs the migrations on the connection that the product hands over."""

from alembic import context

from tiomagic_storage.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The transaction around all of it is the caller's.
    transactional_ddl=False,
)
context.run_migrations()
