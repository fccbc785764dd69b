"""The use cases: what may be done with jobs, over the ports.

``archive``      The use cases on jobs that are stored: the user's own words on them, reading
                 many, deleting.
``batches``      The use case of many requests: so many at once, found again, and none stops the
                 others.
``generation``   The use cases: submit, check, wait, cancel, list, get and rerun.
``idempotency``  Idempotency keys: the same key and the same call give the same job, however often
                 it is sent.
``run``          Handing a stored job to its provider, and storing how that went.
``tracking``     How stored jobs are: asking whoever runs them, stopping them, and recovery after
                 a crash.
``waiting``      How long somebody waits for a job.
"""
