"""Lives of jobs over every store and both kinds of provider, with trouble at every turn.

Two houses do the same: one over SQLite or PostgreSQL, one over the memory fake. What must come of
it is worked out by the machine itself (`lives.py`), which knows nothing of the product's tables.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
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
from tests.storage.lives import (
    LEGAL_MOVES,
    ExpectedJob,
    PowerCut,
    RemoteRun,
    UseCases,
    describe_expected,
    describe_job,
)

from tiomagic_domain.errors import (
    APIError,
    GenerationError,
    ProcessingError,
    ResourceNotFoundError,
    StaleJobError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.lifecycle.apply_report import ask_to_stop
from tiomagic_domain.progress import Phase as Moment
from tiomagic_domain.progress import Progress
from tiomagic_domain.testing import MemoryJobRepository, MemoryLeases, make_job
from tiomagic_domain.testing.outputs import make_video
from tiomagic_storage import open_repository

QUEUE = "local:here:auto"
SCRIPTS = (
    ("running", "completed"),
    ("running", "queued", "running", "completed"),  # Preempted in between.
    ("completed",),
    ("running", "running"),
)
FAULTS = st.sampled_from(["none", "none", "unreachable", "full disk"])
TAGS = st.lists(st.sampled_from(["red", "big one", "été"]), max_size=2, unique=True).map(tuple)


class Lives(RuleBasedStateMachine):
    jobs: Bundle[str] = Bundle("jobs")

    server: ClassVar[str | None] = None
    """URL of a PostgreSQL database for the store that is tried; a SQLite file without it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tiomagic-lives-"))
        self.store = open_repository(self.server or f"sqlite:///{self.folder}/jobs.db")
        for job in self.store.list(JobQuery(limit=None)):
            self.store.delete(job.job_id)
        self.all_use_cases = [
            UseCases(self.folder / "sql", self.store, self.store.leases),
            UseCases(self.folder / "memory", MemoryJobRepository(), MemoryLeases()),
        ]
        self.known: dict[str, ExpectedJob] = {}
        self.gone: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def name(self) -> str:
        return f"job-{len(self.known) + len(self.gone):03}"

    def run_in_both(self, act, raises=None):
        """Do the same in each house; both end in the same way."""
        for house in self.all_use_cases:
            if raises is None:
                act(house)
            else:
                with pytest.raises(raises):
                    act(house)

    def change(self, name, change, raises=None):
        """Store a change of the newest state, as a worker does."""
        self.run_in_both(
            lambda house: house.repository.save(change(house.repository.get(name), house)), raises
        )

    # Submitting

    @initialize(target=jobs)
    def begin(self):
        """Give every run something to work on: hypothesis leaves whole rules out of a run."""
        remote = [self.submit_remote(script, "none") for script in SCRIPTS[:2]]
        return multiple(*remote, self.enqueue(1))

    @rule(
        target=jobs,
        script=st.sampled_from(SCRIPTS),
        trouble=st.sampled_from(["none", "loses_answers", "loses_requests", "unreachable"]),
    )
    def submit_remote(self, script, trouble):
        name = self.name()
        known = self.known[name] = ExpectedJob("remote")
        if trouble in {"none", "loses_answers"}:
            known.remote_run = RemoteRun(list(script))

        def submit(house):
            house.remote._script = tuple(JobStatus(word) for word in script)
            if trouble != "none":
                setattr(house.remote, trouble, True)
            try:
                self.call(house, "modal")
            finally:
                if trouble != "none":
                    setattr(house.remote, trouble, False)

        if trouble == "unreachable":
            known.apply_status("failed", "unreachable")
            self.run_in_both(submit, APIError)
        else:
            self.run_in_both(submit)
        return name

    @rule(
        target=jobs,
        step=st.integers(0, 3),
        event=st.sampled_from(["nothing", "cancel", "label", "power cut", "failure"]),
    )
    def submit_local(self, step, event):
        """Run a job here, with something happening at one of its steps."""
        name = self.name()
        known = self.known[name] = ExpectedJob("local")

        def submit(house):
            house.local.during = lambda now: self.interrupt(house, name, event, now == step)
            house.local.failure = GenerationError("it broke") if event == "failure" else None
            self.call(house, "local")

        self.run_in_both(submit, {"failure": GenerationError, "power cut": PowerCut}.get(event))
        if event == "power cut":
            self.run_in_both(lambda house: house.local.forget(name))
            if step:
                known.move_to("running")
            return name
        if event != "cancel" or step:
            known.move_to("running")
        known.tags = ("during",) if event == "label" else ()
        if event == "cancel":
            known.move_to("canceling")
        ends = {"cancel": ("canceled", None), "failure": ("failed", "generation")}
        known.move_to(*ends.get(event, ("completed", None)))
        known.saved = known.status == "completed"
        return name

    def call(self, house, provider):
        house.generation.submit(
            Feature.TEXT_TO_VIDEO, provider=provider, model=None, arguments={"prompt": "a fox"}
        )

    def interrupt(self, house, name, event, is_now):
        house.clock.advance(1)  # Or the run would not look whether somebody wants it to stop.
        if not is_now:
            return
        if event == "power cut":
            raise PowerCut
        if event == "cancel":
            house.generation.cancel(name)
        if event == "label":
            job = house.repository.get(name)
            house.repository.save(job.with_labels(at=house.clock.now(), tags=["during"]))

    @rule(target=jobs, retry=st.integers(0, 2))
    def enqueue(self, retry):
        """Store a job that waits for a worker."""
        name = self.name()
        self.known[name] = ExpectedJob("waiting", retry=retry)
        self.run_in_both(
            lambda house: house.repository.add(
                make_job(
                    job_id=house.new_id(),
                    queue=QUEUE,
                    retry=retry,
                    creation_time=house.clock.now(),
                )
            )
        )
        return name

    # Following

    @rule(name=jobs, troubles=st.lists(FAULTS, min_size=1, max_size=5))
    def check(self, name, troubles):
        for trouble in troubles:
            self.check_once(name, trouble)

    def check_once(self, name, trouble):
        known = self.known.get(name)
        if known is None:
            self.run_in_both(lambda house: house.generation.check(name), ResourceNotFoundError)
            return

        def check(house):
            house.remote.unreachable = house.local.unreachable = trouble == "unreachable"
            house.outputs.failure = ProcessingError("full") if trouble == "full disk" else None
            try:
                house.generation.check(name)
            finally:
                house.remote.unreachable = house.local.unreachable = False
                house.outputs.failure = None

        fails = self.expect_check(known, trouble)
        self.run_in_both(check, ProcessingError if fails else None)

    def expect_check(self, known, trouble) -> bool:
        """Work out what a check does; True when the video cannot be saved."""
        if known.is_over or (trouble == "unreachable" and not known.saved):
            return False
        if known.kind == "waiting" and known.status == "queued":
            return False
        if known.saved:
            known.move_to("completed")
            return False
        if known.remote_run is None:
            known.lose_run()
            return False
        word = known.remote_run.next_status()
        if word == "completed":
            if trouble == "full disk":
                return True
            known.saved = True
        known.apply_status(word)
        return False

    @rule()
    def recover(self):
        """Look after every job that is not over, as the next use does after a crash."""
        for known in self.known.values():
            self.expect_check(known, "none")
        self.run_in_both(lambda house: house.generation.recover())

    @rule(name=jobs)
    def fetch_and_die(self, name):
        """Bring a finished video home, and die before the job's record says so."""
        known = self.known.get(name)
        if known is None or known.kind != "remote" or known.is_over or known.saved:
            return
        known.saved = True
        self.run_in_both(
            lambda house: house.outputs.save(
                house.repository.get(name), make_video(house.outputs._folder / "spool")
            )
        )

    @rule(name=jobs, reachable=st.booleans())
    def cancel(self, name, reachable):
        known = self.known.get(name)
        if known is None:
            return
        # One that waits for a worker is canceled at once, and nobody is asked.
        was_over = known.is_over or (known.kind == "waiting" and known.status == "queued")
        if not known.is_over:
            known.move_to("canceled" if was_over else "canceling")

        def cancel(house):
            house.remote.unreachable = house.local.unreachable = not reachable
            try:
                house.generation.cancel(name)
            finally:
                house.remote.unreachable = house.local.unreachable = False

        self.run_in_both(cancel, None if reachable or was_over else APIError)
        if was_over or not reachable:
            return
        if known.remote_run is None:
            known.move_to("canceled")
        elif LEGAL_MOVES[known.remote_run.said]:
            known.remote_run.stopping = True
        else:
            known.saved = known.remote_run.said == "completed"
            known.move_to(known.remote_run.said)

    # Workers

    @rule()
    def claim(self):
        """A worker takes the oldest job of the queue."""
        waiting = JobQuery(
            queue=QUEUE, status=frozenset({JobStatus.QUEUED}), oldest_first=True, limit=1
        )
        oldest = [
            name
            for name, known in sorted(self.known.items())
            if known.kind == "waiting" and known.status == "queued"
        ][:1]
        for house in self.all_use_cases:
            found = house.repository.list(waiting)
            assert [job.job_id for job in found] == oldest
            for job in found:
                running = job.to(JobStatus.RUNNING, at=house.clock.now(), call_id="worker-1")
                house.begin(house.repository.save(running))
        for name in oldest:
            self.known[name].move_to("running")
            self.known[name].remote_run = RemoteRun([], said="running")

    @rule(
        takes=st.booleans(),
        event=st.sampled_from(["step", "end", "stop", "power cut", "power cut"]),
        look=st.sampled_from(["none", "check", "recover"]),
    )
    def work(self, takes, event, look):
        """Something happens to a job that a worker has; that it was lost, the next look finds."""
        if takes:
            self.claim()
        name = next((name for name, known in self.known.items() if known.has_worker), None)
        if name is None:
            return
        self.happen_at_work(name, event)
        if look == "check":
            self.check_once(name, "none")
        elif look == "recover":
            self.recover()

    def happen_at_work(self, name, event):
        known = self.known[name]
        moment = Progress(phase=Moment.DENOISING, step=1, steps=3)
        if event == "step":
            self.change(
                name, lambda job, house: job.with_changes(at=house.clock.now(), progress=moment)
            )
        elif event == "stop" and known.status == "running":
            self.change(name, lambda job, house: ask_to_stop(job, at=house.clock.now()))
            known.move_to("canceling")
        elif event == "end":
            self.end(name, "completed", result_video="/videos/a.mp4")
        elif event == "power cut":
            self.run_in_both(lambda house: house.local.forget(name))
            known.remote_run = None

    def end(self, name, word, **changes):
        self.change(
            name, lambda job, house: job.to(JobStatus(word), at=house.clock.now(), **changes)
        )
        self.known[name].move_to(word, changes.get("error_code"))

    # The user's own words, and other hands

    @rule(name=jobs, tags=TAGS, note=st.sampled_from(["", "keep", "zwei\nZeilen"]))
    def label(self, name, tags, note):
        """Label a job; who had read it before and writes after is refused."""
        known = self.known.get(name)
        if known is None:
            return
        known.tags, known.note = tags, note
        for house in self.all_use_cases:
            stale = house.repository.get(name)
            at = house.clock.now()
            house.repository.save(stale.with_labels(at=at, tags=tags, note=note))
            with pytest.raises(StaleJobError):
                house.repository.save(stale.with_labels(at=at, note="too late"))

    @rule(name=jobs)
    def delete(self, name):
        """Delete a job that is over; who writes to it afterwards finds nothing."""
        known = self.known.get(name)
        if known is None or not known.is_over:
            return
        del self.known[name]
        self.gone.add(name)
        for house in self.all_use_cases:
            job = house.repository.get(name)
            house.repository.delete(name)
            with pytest.raises(ResourceNotFoundError):
                house.repository.save(job.with_labels(at=house.clock.now()))

    @rule(
        status=st.sampled_from(sorted(LEGAL_MOVES)),
        tag=st.none() | st.sampled_from(["red", "été"]),
        seconds=st.floats(0, 1e5),
    )
    def look_for(self, status, tag, seconds):
        """After a while, listing and counting say what the oracle says, in both stores."""
        self.run_in_both(lambda house: house.clock.advance(seconds))
        right = [
            name
            for name, known in sorted(self.known.items(), reverse=True)
            if known.status == status and (tag is None or tag in known.tags)
        ]
        query = JobQuery(status=frozenset({JobStatus(status)}), tag=tag, text="FOX a", limit=None)
        for house in self.all_use_cases:
            assert sorted((j.job_id for j in house.repository.list(query)), reverse=True) == right
            assert house.repository.count(query) == len(right)

    @invariant()
    def all_is_as_it_must_be(self):
        """Both stores hold exactly what the oracle believes of every job, and hold it alike."""
        alike = []
        for house in self.all_use_cases:
            stored = {job.job_id: job for job in house.repository.list(JobQuery(limit=None))}
            assert {n: describe_job(j) for n, j in stored.items()} == {
                n: describe_expected(k) for n, k in self.known.items()
            }
            alike.append([replace(job, result_video=None) for job in stored.values()])
        assert alike[0] == alike[1]

    @invariant()
    def each_move_is_legal(self):
        """No change that was told is a move that the oracle does not know."""
        for house in self.all_use_cases:
            last: dict[str, str] = {}
            for job in house.changes:
                before, after = last.get(job.job_id, "queued"), job.status.value
                assert after == before or after in LEGAL_MOVES[before]
                last[job.job_id] = after

    @invariant()
    def no_job_is_sent_twice(self):
        """Nothing is billed twice: each job reaches its provider once at the most."""
        for house in self.all_use_cases:
            sent = [
                request.job.job_id for request in house.remote.submitted + house.local.submitted
            ]
            assert len(sent) == len(set(sent))


@pytest.fixture
def on_postgresql(postgresql_url):
    """Let the machine run on a PostgreSQL."""
    LivesOnPostgreSQL.server = postgresql_url
    yield
    LivesOnPostgreSQL.server = None


class LivesOnPostgreSQL(Lives):
    """The same on the store of a team."""


TestLives = Lives.TestCase
TestLivesOnPostgreSQL = pytest.mark.usefixtures("on_postgresql")(LivesOnPostgreSQL.TestCase)
TestLives.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
TestLivesOnPostgreSQL.settings = settings(TestLives.settings, max_examples=6)
