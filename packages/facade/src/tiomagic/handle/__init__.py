"""The job handle: its fields, events and waiting.

``blocking``    Runs blocking functions in threads, beside an event loop.
``events``      The events of a job: status and progress changes by polling, with an estimated
                time.
``follow``      Following a job that a worker of this machine runs: every step, with little delay.
``handle``      The job handle (``JobHandle``): the result of a call, to wait, poll, cancel and
                read it.
``job_fields``  The fields of a job's record that a handle shows as they are.
``previews``    Previews of a job that runs elsewhere: who waits for it gets each new one with its
                progress.
``wait``        Waiting for a job that runs elsewhere.
"""
