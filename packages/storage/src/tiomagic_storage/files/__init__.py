"""Finished videos in a folder, and the log for people.

``atomic``          Files that appear whole or not at all, and locks between processes.
``generation_log``  The log in the working directory: a view of the newest jobs for people and old
                    scripts.
``legacy_log``      The log of tiomagic 1.0.0: recognised, read, and taken into the database as
                    history.
``outputs``         Finished videos in a folder.
"""
