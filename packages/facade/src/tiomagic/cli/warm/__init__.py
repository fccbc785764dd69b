"""Warm workers: they keep a model loaded, and make the videos of one command after the other.

``failures``  The errors of jobs that a worker ran, as a run in the command's own process raises
              them.
``submit``    Commands hand their job to a warm worker, which keeps the model for the next command.
"""
