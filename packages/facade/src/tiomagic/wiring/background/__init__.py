"""Background workers: how they are started, and which jobs they may run.

``fingerprint``  The fingerprint of all that a run depends on: no worker runs a job of other
                 settings.
``launcher``     Starts background workers as detached processes, and keeps their logs.
"""
