"""The job handle: its fields, events and waiting.

``blocking``    Running what blocks beside an event loop.
``events``      Following a job: what happens to it as events, with the time that is left as
                measured.
``handle``      The job handle: what a call returns, and how to follow it.
``job_fields``  The fields of a job's record that a handle shows as they are.
``wait``        Waiting for a job that runs elsewhere.
"""
