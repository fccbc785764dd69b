"""The database: engine, tables, migrations, and what its errors mean.

``busy_timeout``     Connections to SQLite whose every statement waits its turn, those of the
                     set-up included.
``engine``           Makes SQLAlchemy engines that are set for keeping jobs.
``errors``           Vendor exceptions end here.
``health``           How a database is, without changing it: for a person who wants to know what
                     is wrong.
``schema``           Brings a database to the schema that this version needs.
``search_index``     How jobs are found by their tags and by the words of their prompts, fast.
``sqlite_location``  Where a SQLite database lies, and that it is for its owner alone.
``tables``           The tables, and the functions between a job or a lease and its row.
"""
