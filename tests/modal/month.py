"""A month at a simulated Modal: containers that go cold, runs of uneven length, and their bills.

The times and the bills come from here and not from the code that is tested: hidden speeds, noise,
and Modal's prices typed again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    ProviderBase,
    Report,
    Request,
)
from tiomagic_domain.testing import FakeClock
from tiomagic_domain.testing.tiny_mp4 import MP4
from tiomagic_modal.costs import compute_cost
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.provider import ModalProvider

GPU_PRICES = {"L40S": 0.000542, "A100-80GB": 0.000694, "H100": 0.001097}
"""Dollars a second, from modal.com/pricing as of 2026-07."""
SPEEDS = {"L40S": 150e12, "A100-80GB": 140e12, "H100": 430e12}
"""Operations a second that runs really get: not what the data sheets promise."""
PARAMETERS = {"wan2.1-t2v-1.3b": 1.3e9, "wan2.1-t2v-14b": 14e9, "ltx-video": 1.9e9}
WIDTHS = {"wan2.1-t2v-1.3b": 1536 * 30, "wan2.1-t2v-14b": 5120 * 40, "ltx-video": 2048 * 28}
MEMORY_GIB = {"wan2.1-t2v-1.3b": 18, "wan2.1-t2v-14b": 34, "ltx-video": 17}
"""What containers of these models have, from the size of their largest component."""
WINDOW_S = 300


@dataclass
class Bill:
    """What a run has really cost."""

    dollars: float
    is_cold: bool


@dataclass
class SimulatedModal(ProviderBase):
    """Modal without a network: its own estimates and bills over simulated containers."""

    folder: Path
    clock: FakeClock
    chance: random.Random
    gpu: str = "H100"
    bills: dict[str, Bill] = field(default_factory=dict)
    warm_until: dict[tuple[str, str], object] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As that of the real one, whose jobs these stand for."""
        return "modal"

    @property
    def real(self) -> ModalProvider:
        """The provider that is tested; it makes no request for an estimate."""
        options = ModalOptions(gpu=self.gpu, scaledown_window_s=WINDOW_S)
        return ModalProvider(options, self.folder)

    def capabilities(self) -> Capabilities:
        """As Modal's."""
        return Capabilities(default_model="wan2.1-t2v-14b", blocking=False)

    def check(self, request: Request) -> None:
        """Take anything."""

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return the real estimate."""
        return self.real.estimate(request, known)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Run a job at once; its end is reported by the next poll."""
        job, pool = request.job, (request.job.model, self.gpu)
        is_cold = self.warm_until.get(pool, self.clock.now()) <= self.clock.now()
        starting = self.chance.gauss(22, 2) if is_cold else 0.0
        loading = self.chance.gauss(1.6, 0.25) * MEMORY_GIB[job.model] if is_cold else 0.02
        steps = self._true_seconds(job) * self.chance.lognormvariate(0, 0.08)
        phases = {"loading": loading, "encoding": 1.5, "denoising": steps, "writing": 0.5}
        seconds = starting + sum(phases.values())
        price = GPU_PRICES[self.gpu] + 2 * 0.0000131 + MEMORY_GIB[job.model] * 0.00000222
        self.bills[job.job_id] = Bill(seconds * price, is_cold)
        self.clock.advance(seconds)
        self.warm_until[pool] = self.clock.now() + timedelta(seconds=WINDOW_S)
        self.reports[job.job_id] = Report(
            status=JobStatus.COMPLETED,
            message="completed",
            facts={
                "device": f"cuda:0 (NVIDIA {self.gpu})",
                "gpu": self.gpu,
                "seconds": phases,
                "seconds_starting": starting,
                "width": job.optional_args["width"],
                "height": job.optional_args["height"],
            },
        )
        facts = {"gpu": self.gpu, "timeout_s": 1800, "scaledown_window_s": WINDOW_S}
        return Report(status=JobStatus.RUNNING, call_id=f"fc-{job.job_id}", facts=facts)

    def _true_seconds(self, job: Job) -> float:
        size = job.optional_args
        tokens = ((size["num_frames"] - 1) // 4 + 1) * size["width"] * size["height"] / 256
        products = 2 * PARAMETERS[job.model] * tokens + 4 * tokens**2 * WIDTHS[job.model]
        decoding = size["width"] * size["height"] * size["num_frames"] * 1.2e-7
        return 2 * size["num_inference_steps"] * products / SPEEDS[self.gpu] + decoding

    def poll(self, job: Job) -> Report:
        """Return the end of a job, with its cost as the real provider computes it."""
        path = self.folder / f"{job.job_id}.mp4"
        path.write_bytes(MP4)
        report = replace(self.reports[job.job_id], video=VideoFile(path=path))
        return compute_cost(job, report)

    def cancel(self, job: Job) -> Report:
        """Report the end, which came first."""
        return self.poll(job)
