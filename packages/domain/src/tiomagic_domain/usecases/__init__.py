"""The use cases on jobs, over the ports: submit, check, wait, cancel, rerun, batches, search.

``archive``      Use cases on stored jobs that need no provider: tags and notes, listing,
                 deleting.
``batches``      Batches: many requests with bounded concurrency, resumable, and independent of
                 each other.
``consent``      Consent to a model's terms: given by the model's name, before anything of it is
                 used.
``estimates``    Estimates: what a run is expected to take and to cost, before it is sent anywhere.
``generation``   Use cases that submit jobs: submit and rerun.
``idempotency``  Idempotency keys: the same key and the same call give the same job, however often
                 it is sent.
``interruptions``  What a person who presses Ctrl-C should know: what became of the job.
``job_ids``      Names of jobs as people type them: the beginning of an id, or ``@last``.
``planning``     Use cases that look at a call before it runs: plan and look ahead. Nothing is
                 stored.
``preflight``    Preflight: what a run would take, and what cannot work, before anything is
                 stored or fetched.
``running``      Runs a stored job to its end, and stores how it ended.
``submission``   What a caller asks for with a submission, apart from who runs it.
``tracking``     The use cases on stored jobs: get, check, wait, list, cancel, and recovery after
                 a crash.
``waiting``      The timeout and poll interval of a wait for a job.
"""
