"""The parts of a job's life on a Ray cluster: its real client, and workers without a model."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.faults import parts

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports import Provider
from tiomagic_ray.options import RayOptions
from tiomagic_ray.provider import RayProvider

ADDRESS_VARIABLE, TOKEN_VARIABLE = "FAULTS_RAY_ADDRESS", "FAULTS_RAY_TOKEN"
IDLE_S = 45
"""Seconds that a worker is kept: from run to run, so that both work at once, and not for long."""
JOBS = 2
"""Jobs of a run: one for each worker."""
STEPS = (10, 100)
"""Short and long runs take turns: some are over before a fault is heard of."""
WAIT_S = 400.0


class ClusterProcessParts(parts.ProcessParts):
    """What one process has that runs its jobs on a cluster."""

    def providers(self, folder: Path) -> dict[str, Provider]:
        """Return Ray, at the cluster that the environment names."""
        options = RayOptions(
            address=os.environ[ADDRESS_VARIABLE],
            token=os.environ[TOKEN_VARIABLE],
            worker_idle_s=IDLE_S,
        )
        return {"ray": RayProvider(options, folder / "spool")}

    def submit(self, number: int, retry: int) -> Job:
        """Hand a job to the cluster."""
        orders = {"number": number, "steps": STEPS[number // JOBS % 2], "pause_s": 0.1}
        return self.generation.submit(
            Feature.TEXT_TO_VIDEO,
            provider="ray",
            model="doodle",
            arguments={"prompt": json.dumps(orders)},
            detach=True,
            retry=retry,
        )


def submit_and_wait(
    folder: Path, pipe: int, number: int, retry: int, parts_class: type[parts.ProcessParts]
) -> None:
    """Be a caller: submit some jobs and follow them to their end."""
    mine = parts_class(folder, pipe)
    jobs = [mine.submit(number * JOBS + index, retry) for index in range(JOBS)]
    (folder / parts.STORED_FILE).touch()
    for job in jobs:
        mine.generation.wait(job.job_id, poll=0.25, timeout=WAIT_S)
