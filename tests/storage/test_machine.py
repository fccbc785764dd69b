"""The memory fake and the real SQLite store, driven together through the lives of jobs."""

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from tiomagic_domain.errors import InvalidTransitionError, StaleJobError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.testing.repository import NOON, MemoryJobRepository, make_job
from tiomagic_storage import open_repository

# The machine's own word on what is legal. It must not come from the product.
LEGAL_MOVES = {
    "queued": {"running", "canceling", "completed", "failed", "canceled"},
    "running": {"queued", "canceling", "completed", "failed", "canceled"},
    "canceling": {"completed", "failed", "canceled"},
    "completed": set(),
    "failed": set(),
    "canceled": set(),
}
MODELS = ("owl", "fox")
PROMPTS = ("a Fox", "100% owl", "a_b")
statuses = st.sampled_from(sorted(LEGAL_MOVES)).map(JobStatus)
moments = st.integers(0, 5).map(lambda seconds: NOON + timedelta(seconds=seconds))
queries = st.builds(
    JobQuery,
    status=st.none() | st.frozensets(statuses),
    feature=st.none() | st.sampled_from([Feature.TEXT_TO_VIDEO, Feature.INTERPOLATE]),
    model=st.none() | st.sampled_from(MODELS),
    provider=st.none() | st.just("local"),
    text=st.none() | st.sampled_from(["fox", "%", "_", "owl"]),
    since=st.none() | moments,
    until=st.none() | moments,
    limit=st.none() | st.integers(0, 4),
)


class JobLives(RuleBasedStateMachine):
    """Holds both stores to what the machine itself remembers."""

    handles: ClassVar[Bundle[Job]] = Bundle("handles")  # Old ones stay: they go stale.

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="tiomagic-machine-")
        self.sqlite = open_repository(f"sqlite:///{self.folder}/jobs.db")
        self.memory = MemoryJobRepository()
        self.known: dict[str, tuple[int, str]] = {}

    def teardown(self) -> None:
        self.sqlite.close()
        shutil.rmtree(self.folder)

    @initialize(target=handles, models=st.lists(st.sampled_from(MODELS), min_size=2, max_size=2))
    def start(self, models):
        """Give every run something to work on: hypothesis leaves whole rules out of a run."""
        return multiple(
            *(self.add_job(Feature.TEXT_TO_VIDEO, model, PROMPTS[0], NOON) for model in models)
        )

    @rule(
        target=handles,
        feature=st.sampled_from([Feature.TEXT_TO_VIDEO, Feature.INTERPOLATE]),
        model=st.sampled_from(MODELS),
        prompt=st.sampled_from(PROMPTS),
        created=moments,
    )
    def add(self, feature, model, prompt, created):
        return self.add_job(feature, model, prompt, created)

    def add_job(self, feature, model, prompt, created):
        job = make_job(
            job_id=f"job-{len(self.known):03}",
            feature=feature,
            model=model,
            prompt=prompt,
            creation_time=created,
            retry=1000,
        )
        self.sqlite.add(job)
        self.memory.add(job)
        self.known[job.job_id] = (1, "queued")
        return job

    @rule(target=handles, handle=handles)
    def read_again(self, handle):
        return self.sqlite.get(handle.job_id)

    @rule(target=handles, handle=handles, path=st.lists(statuses, min_size=1, max_size=3))
    def move(self, handle, path):
        for status in path:
            handle = self.step(handle, status)
        return handle

    def step(self, handle, status):
        try:
            moved = handle.to(status, at=NOON, message=f"now {status}")
        except InvalidTransitionError:
            assert status.value not in LEGAL_MOVES[handle.status.value]
            return handle
        assert status.value in LEGAL_MOVES[handle.status.value]
        return self.save(handle, moved)

    @rule(target=handles, handle=handles, message=st.text(max_size=5))
    def note(self, handle, message):
        try:
            noted = handle.with_changes(at=NOON, message=message.replace("\0", ""))
        except InvalidTransitionError:
            assert not LEGAL_MOVES[handle.status.value]
            return handle
        return self.save(handle, noted)

    def save(self, handle, changed):
        version, _ = self.known[handle.job_id]
        if handle.version != version:
            for store in (self.sqlite, self.memory):
                with pytest.raises(StaleJobError):
                    store.save(changed)
            return handle
        saved = self.sqlite.save(changed)
        assert saved == self.memory.save(changed) == replace(changed, version=version + 1)
        self.known[saved.job_id] = (saved.version, saved.status.value)
        return saved

    @rule(query=queries, handle=st.none() | handles)
    def ask(self, query, handle):
        page = query if handle is None else replace(query, after=handle.job_id)
        assert self.sqlite.list(page) == self.memory.list(page)

    @invariant()
    def both_hold_what_is_known(self):
        """Both agree with each other, and no job has moved but by a save that was let through."""
        everything = JobQuery(limit=None)
        stored = self.sqlite.list(everything)
        assert stored == self.memory.list(everything)
        assert {job.job_id: (job.version, job.status.value) for job in stored} == self.known

    @invariant()
    def nothing_else_follows(self):
        """Every stored job can go where the machine says and nowhere else; from an end, nowhere."""
        for job in self.memory.list(JobQuery(limit=None)):
            reachable = set()
            for word in LEGAL_MOVES:
                with suppress(InvalidTransitionError):
                    reachable.add(job.to(JobStatus(word), at=NOON).status.value)
            assert reachable == LEGAL_MOVES[job.status.value]


TestJobLives = JobLives.TestCase
TestJobLives.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    # No shrinking: it replays hundreds of runs on a disk, which takes minutes, and 30 steps can
    # be read as they are.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
