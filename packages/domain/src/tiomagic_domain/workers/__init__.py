"""Background jobs: queues, workers and their leases, the supervisor, retries after a lost worker.

::

    submit(detach=True) ── job, queued ──► queue ◄── Worker: takes a device, then job after job
            │                                           │ renews its lease while it lives
            └── Supervisor: is there a living worker? ──┘
                 none → launches one; dead or silent → ends it, and its job fails or runs again

A run in its caller's own process shares the devices with workers: see ``device_lock``.

Its modules::

    ``device_lock``           Device locks for runs in the caller's process: waits for workers and
                              other runs, in order.
    ``device_tickets``        The tickets of a worker: they show that its oldest job waits for any
                              of its devices.
    ``environmental_errors``  Recognises failures of the machine, not of the job, which are worth
                              a retry later.
    ``heartbeat``             The heartbeat of a worker: a thread that renews its leases while
                              another thread runs the job.
    ``idle_workers``          Lists the workers of this machine, and ends those without a job.
    ``job_runner``            What a worker needs of the use cases: run a claimed job, abandon,
                              requeue or fail it.
    ``leases``                Leases of workers: names, renewal, expiry, reclaim of dead or silent
                              owners, start back-off.
    ``limits``                The timeouts and intervals of a worker.
    ``outages``               Retries of a worker after a failure of the machine: growing pauses,
                              and a bound for each job.
    ``service``               For services: ``QueueWorker`` runs queued jobs, ``JobFollower``
                              polls all unfinished jobs.
    ``supervisor``            The supervisor: starts workers for queued jobs, and settles the jobs
                              of workers that died.
    ``unreachable``           Messages about runs and workers that cannot be seen from here, with
                              advice.
    ``waiting_reasons``       The message of a queued job: why it waits for a worker, or for a
                              device that others use.
    ``worker``                The worker of a queue: acquires a device, runs jobs one after the
                              other, ends when idle.
"""

from tiomagic_domain.workers.device_lock import DeviceLock
from tiomagic_domain.workers.heartbeat import keep_alive
from tiomagic_domain.workers.leases import Background, queue_name, split_queue
from tiomagic_domain.workers.limits import WorkerLimits
from tiomagic_domain.workers.supervisor import Supervisor
from tiomagic_domain.workers.worker import Worker

__all__ = [
    "Background",
    "DeviceLock",
    "Supervisor",
    "Worker",
    "WorkerLimits",
    "keep_alive",
    "queue_name",
    "split_queue",
]
