"""The use cases: what may be done with jobs, over the ports.

``archive``      The use cases on jobs that are stored: the user's own words on them, reading
                 many, deleting.
``batches``      The use case of many requests: so many at once, found again, and none stops the
                 others.
``generation``   The use cases that run jobs: submit, plan and rerun; and what a worker does with a
                 job.
``idempotency``  Idempotency keys: the same key and the same call give the same job, however often
                 it is sent.
``tracking``     The use cases on stored jobs: get, check, wait, list, cancel, and recovery after
                 a crash.
``waiting``      How long somebody waits for a job.
"""
