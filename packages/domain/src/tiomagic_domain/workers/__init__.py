"""Jobs that run without their caller: queues, the worker that serves one, and who looks after it.

::

    submit(detach=True) ── job, queued ──► queue ◄── Worker: takes a device, then job after job
            │                                           │ renews its lease while it lives
            └── Supervisor: is there a living worker? ──┘
                 none → launches one; dead or silent → ends it, and its job fails or runs again

A run in its caller's own process takes its turn on the same devices: see ``device_lock``.

``device_lock``           A run in its caller's own process takes its turn on the device, beside
                          workers and other runs.
``environmental_errors``  Which failures are the machine's and not the job's.
``heartbeat``             The heartbeat of a worker: a thread that renews its lease beside the
                          thread of its run.
``leases``                What workers and those who look after them share: names, leases, and who
                          counts as dead.
``outages``               What a worker does about failures that are not its jobs': it waits, and
                          tries again.
``service``               For services: a worker that runs queued jobs, and a follower that keeps
                          all jobs up to date.
``supervisor``            Sees that queued jobs have a worker, and that the jobs of dead workers
                          are not forgotten.
``unreachable``           Words on runs and workers that cannot be seen from here, and what a
                          person can do about them.
``waiting_reasons``       Why the jobs of a queue wait, as their messages say it.
``worker``                Serves a queue: takes a device, runs job after job on it, and goes away
                          when none comes.
"""

from tiomagic_domain.workers.device_lock import DeviceLock
from tiomagic_domain.workers.heartbeat import keep_alive
from tiomagic_domain.workers.leases import Background, queue_name
from tiomagic_domain.workers.supervisor import Supervisor
from tiomagic_domain.workers.worker import Worker, WorkerLimits

__all__ = [
    "Background",
    "DeviceLock",
    "Supervisor",
    "Worker",
    "WorkerLimits",
    "keep_alive",
    "queue_name",
]
