"""The database: engine, tables, migrations, and the translation of its errors.

``busy_timeout``     Retries SQLite statements while the database is busy, with one timeout for
                     every statement.
``engine``           Makes the SQLAlchemy engines for SQLite and PostgreSQL, and notices a
                     replaced database file.
``errors``           Translates errors of SQLite, PostgreSQL and SQLAlchemy into those of
                     tiomagic, with advice.
``exclusive``        A transaction that one process has at a time, for what must be read and
                     written as one.
``health``           Checks a database without changing it, for ``tiomagic doctor``.
``schema``           Creates or migrates a database's tables to the schema that this version
                     needs.
``search_index``     Indexes for the search of jobs by tags and by words of their prompts.
``spending``         What keeps the sums of a day's costs equal to the jobs': triggers in both
                     databases.
``sqlite_location``  The path of a SQLite database from its URL, and its permissions: only its
                     owner may read it.
``tables``           The tables, and the functions between a job or a lease and its row.
"""
