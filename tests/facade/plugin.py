"""What another distribution may bring: a provider and a model. Also copied as ``tiomagic_fake``.

The variable ``FAKE`` says how it behaves: ``fails``, ``leaks``,
``unauthorized``, ``stopped``, ``unhurried``, ``slow``, ``remote``, ``endless``.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.families.wan import MODELS as WAN
from tiomagic_domain.errors import AuthenticationError, GenerationCanceledError, GenerationError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.testing import FakeProvider
from tiomagic_local.jobs.processes import ProcessIdentity

MODELS = tuple(
    replace(card, name=f"fake-{card.name}", engine="fake")
    for card in WAN
    if card.name in {"wan2.1-t2v-1.3b", "wan2.1-vace-14b"}
)


class ProcessBoundProvider(FakeProvider):
    """A fake whose runs are known to other processes by the process that makes them.

    The fake alone keeps its runs in memory: a second process that asks in the middle of one would
    hear that it is lost, and let the job run again.
    """

    def new_call_id(self) -> str:
        """Return this process."""
        return ProcessIdentity.current().call_id

    def poll(self, job: Job) -> Report:
        """Say that a run goes on as long as its process lives."""
        maker = ProcessIdentity.from_call_id(job.call_id or "")
        if job.job_id not in self.runs and maker is not None and maker.is_running():
            return Report(status=job.status, call_id=job.call_id)
        return super().poll(job)


class FakePlugin(ProviderPlugin):
    """The provider before it is built, as the entry point names it."""

    shared_settings = frozenset({"hf_token", "gpu"})

    def build(self, settings: ProviderSettings) -> FakeProvider:
        """Return the provider."""
        return build(settings)

    def runs(self, card: ModelCard) -> bool:
        """Say that it has an engine of its own."""
        return card.engine == "fake"


PLUGIN = FakePlugin()


def build(settings: ProviderSettings) -> FakeProvider:
    """Return the provider as the environment wants it."""
    manner = os.environ.get("FAKE", "")
    blocking = manner not in {"remote", "endless"}
    kind = ProcessBoundProvider if blocking else FakeProvider
    provider = kind(
        settings.spool_dir,
        name="fake",
        blocking=blocking,
        default_model="fake-wan2.1-t2v-1.3b",
    )
    if manner == "fails":
        provider.failure = GenerationError("the fake broke", code="broke")
    if manner == "leaks":
        provider.failure = GenerationError(f"refused: token {settings['hf_token']}")
    if manner == "unauthorized":
        provider.rejection = AuthenticationError("the token was refused")
    if manner == "stopped":
        provider.failure = GenerationCanceledError("stopped")
    if manner == "unhurried":
        provider.during = lambda step: time.sleep(1)
    if manner == "slow":
        provider.during = lambda step: time.sleep(0 if step == 0 else 60)
    if manner == "endless":
        provider._script = (JobStatus.RUNNING,)
    return provider
