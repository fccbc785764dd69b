"""Jobs that run without their caller: queues, the worker that serves one, and who looks after it.

::

    submit(detach=True) ── job, queued ──► queue ◄── Worker: takes a device, then job after job
            │                                           │ renews its leases while it lives
            └── Supervisor: is there a living worker? ──┘
                 none → launches one; dead or silent → ends it, and its job fails or runs again

A run in its caller's own process takes its turn on the same devices: see ``turns``.
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
