"""Finished videos in a folder, and the log for people.

``atomic``          Atomic writes of files (temporary file, then rename), and locks between
                    processes.
``generation_log``  Writes ``generation_log.json``: the newest jobs, for people and for scripts of
                    1.0.0.
``late_refresh``    Writes something once for many requests.
``legacy_log``      Imports the log of tiomagic 1.0.0 into the database.
``outputs``         The output store: puts finished videos and their recipes into a folder.
"""
