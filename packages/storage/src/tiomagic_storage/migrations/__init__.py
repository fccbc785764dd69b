"""The migrations of the schema, for Alembic. A released revision is never edited."""
