"""The local provider: it keeps the contract, finds reasons early, and tells the truth later."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.local.materials import SMALL

from tiomagic_domain.errors import (
    ConfigurationError,
    GenerationError,
    MissingDependencyError,
    ProcessingError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.jobs.recipe import read_recipe
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing.contracts.provider import BlockingProviderContract, RecordingObserver
from tiomagic_domain.testing.media import FakeMediaReader
from tiomagic_domain.testing.outputs import FakeOutputStore
from tiomagic_domain.testing.repository import MemoryJobRepository
from tiomagic_domain.usecases.generation import Generation
from tiomagic_local import provider as module
from tiomagic_local.jobs.processes import ProcessIdentity
from tiomagic_local.options import LocalOptions
from tiomagic_local.provider import LocalProvider
from tiomagic_media.encode import mp4

if TYPE_CHECKING:
    from tests.local.materials import Materials


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def provider(options: LocalOptions, spool: Path) -> LocalProvider:
    return LocalProvider(options, spool)


@pytest.fixture
def dead() -> ProcessIdentity:
    """A process of this machine that has ended."""
    code = (
        "from tiomagic_local.jobs.processes import ProcessIdentity\n"
        "print(ProcessIdentity.current().call_id)"
    )
    worker = ProcessIdentity.from_call_id(
        subprocess.check_output([sys.executable, "-c", code], text=True)
    )
    assert worker is not None
    return replace(worker, birth=worker.birth.strip())


class TestContract(BlockingProviderContract):
    @pytest.fixture
    def new_request(self, studio: Materials) -> Callable[[], Request]:
        return studio.request

    @pytest.fixture
    def count_runs(
        self, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], int]:
        from tiomagic_local.runtime import run

        original, runs = run.run_request, []

        def counted(request: Request, **rest: Any) -> Report:
            runs.append(request)
            return original(request, **rest)

        monkeypatch.setattr(run, "run_request", counted)
        return lambda: len(runs)


class TestEarlyReasons:
    def test_a_missing_extra_names_the_command(
        self, provider: LocalProvider, studio: Materials, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the engines' packages nothing is stored, and the error says what to install."""
        without(monkeypatch, "ftfy")
        with pytest.raises(MissingDependencyError, match=r"facade\[local\]"):
            provider.check(studio.request())

    def test_the_pose_extra_is_needed_for_a_guiding_video_alone(
        self, provider: LocalProvider, studio: Materials, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Skeletons need no estimator; a video of somebody does."""
        without(monkeypatch, "onnxruntime")
        vace, pose = "wan2.1-vace-1.3b", Feature.POSE_GUIDANCE
        provider.check(studio.request(vace, pose))
        guided = {"image": studio.picture(), "guiding_video": studio.video()}
        with pytest.raises(MissingDependencyError, match=r"facade\[pose\]"):
            provider.check(studio.request(vace, pose, media=guided))

    def test_a_folder_that_is_not_there(self, spool: Path, studio: Materials) -> None:
        """A wrong folder of weights is found before anything is stored."""
        provider = LocalProvider(LocalOptions(model_path=Path("/nowhere")), spool)
        with pytest.raises(ConfigurationError, match="model_path '/nowhere' does not exist"):
            provider.check(studio.request())

    def test_an_engine_that_is_not_there(self, provider: LocalProvider, studio: Materials) -> None:
        """A card of a newer version, or of a plug-in that is gone, is an error that says so."""
        request = studio.request()
        with pytest.raises(ConfigurationError, match="'someday'"):
            provider.check(replace(request, card=replace(request.card, engine="someday")))

    def test_a_check_loads_no_torch(self, tmp_path: Path) -> None:
        """Importing, building and checking stay light, and write nothing."""
        script = f"""
import sys
from pathlib import Path
from tests.local.light import a_request
from tiomagic_local.provider import LocalOptions, LocalProvider
provider = LocalProvider(LocalOptions(), Path({str(tmp_path / "spool")!r}))
provider.capabilities()
provider.check(a_request())
provider.poll(a_request().job)
heavy = {{"torch", "diffusers", "transformers", "numpy", "PIL", "av", "huggingface_hub"}}
print(sorted(heavy & set(sys.modules)))
"""
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "[]"
        assert not (tmp_path / "spool").exists()


class TestRunning:
    def test_the_process_is_named_before_anything_is_loaded(
        self, provider: LocalProvider, studio: Materials
    ) -> None:
        """The first word has the call id, so that a kill at any later moment can be told."""
        observer = RecordingObserver(cancel_after=1)
        provider.submit(studio.request(), observer)
        first = observer.reports[0]
        assert first.call_id == ProcessIdentity.current().call_id
        assert first.progress is None

    def test_the_file_has_what_was_asked(
        self, provider: LocalProvider, studio: Materials, spool: Path
    ) -> None:
        """The mp4 lies in the spool with the recipe inside; the facts say how it ran."""
        request = studio.request(width=48, num_frames=9, fps=12)
        report = provider.submit(request, RecordingObserver())
        assert report.video is not None
        assert report.video.path == spool / f"{request.job.job_id}.mp4"
        inside = mp4.read_embedded_recipe(report.video.path)
        assert inside == report.video.recipe == read_recipe(inside)
        assert inside["optional_args"]["seed"] == 7
        expected = {"frames": 9, "width": 48, "height": 32, "fps": 12.0, "device": "cpu"}
        assert expected.items() <= report.facts.items()
        phases = {Phase.LOADING, Phase.ENCODING, Phase.DENOISING, Phase.DECODING, Phase.WRITING}
        assert {phase.value for phase in phases} <= set(report.facts["seconds"])
        assert {"tiomagic", "torch", "diffusers"} <= set(report.facts["versions"])
        assert sorted(path.name for path in spool.iterdir()) == [report.video.path.name]

    def test_a_long_prompt_is_told(self, provider: LocalProvider, studio: Materials) -> None:
        """The model cuts a prompt without a word; the job's message has the numbers."""
        report = provider.submit(studio.request(prompt="fox " * 300), RecordingObserver())
        assert "of which the model reads 512" in report.message
        short = provider.submit(studio.request(), RecordingObserver())
        assert short.message == "completed"

    def test_a_failure_leaves_nothing(
        self, provider: LocalProvider, studio: Materials, spool: Path
    ) -> None:
        """An error of the model goes to the caller; no file and no claim stays."""
        with pytest.raises(GenerationError):
            provider.submit(studio.request(height=40), RecordingObserver())
        assert list(spool.iterdir()) == []

    def test_another_process_has_the_job(
        self, provider: LocalProvider, studio: Materials, spool: Path
    ) -> None:
        """A job that runs already is not run again, here or elsewhere."""
        request = studio.request()
        spool.mkdir()
        (spool / f"{request.job.job_id}.run").write_text(ProcessIdentity.current().call_id)
        observer = RecordingObserver()
        report = provider.submit(request, observer)
        assert (report.status, report.call_id) == (
            JobStatus.RUNNING,
            ProcessIdentity.current().call_id,
        )
        assert observer.reports == []
        assert (spool / f"{request.job.job_id}.run").exists()

    @pytest.mark.parametrize("submits", [True, False])
    def test_what_the_dead_left_is_swept(
        self,
        provider: LocalProvider,
        options: LocalOptions,
        studio: Materials,
        spool: Path,
        dead: ProcessIdentity,
        *,
        submits: bool,
    ) -> None:
        """By the first use or the next run; what the living write, and finished videos, stay."""
        import os

        spool.mkdir()
        names = {
            "dead.run": dead.call_id,
            ".dead.mp4.1a2b.part": "half",
            ".alive.mp4.1a2b.part": "half",
            "alive.run": ProcessIdentity.current().call_id,
            "far.run": replace(dead, host="elsewhere").call_id,
            "old.mp4": "finished",
        }
        for name, text in names.items():
            (spool / name).write_text(text)
            os.utime(spool / name, (1, 1))
        if submits:
            with pytest.raises(GenerationError):
                provider.submit(studio.request(height=40), RecordingObserver())
        else:
            LocalProvider(options, spool)
        left = {path.name for path in spool.iterdir()}
        assert left == {"alive.run", ".alive.mp4.1a2b.part", "far.run", "old.mp4"}

    def test_a_folder_that_cannot_be_written(
        self, options: LocalOptions, studio: Materials, tmp_path: Path
    ) -> None:
        """A spool that is no folder is an error before the model is loaded."""
        (tmp_path / "file").touch()
        provider = LocalProvider(options, tmp_path / "file" / "spool")
        with pytest.raises(ProcessingError, match="cannot be written"):
            provider.submit(studio.request(), RecordingObserver())


class TestCtrlC:
    def test_the_job_is_canceled_and_the_next_one_runs(
        self, provider: LocalProvider, studio: Materials, spool: Path, tmp_path: Path, clock: Any
    ) -> None:
        """Ctrl-C ends the run at its step: canceled in the record, nothing left, usable again."""
        repository = MemoryJobRepository()
        generation = Generation(
            providers={"local": provider},
            repository=repository,
            outputs=FakeOutputStore(tmp_path / "videos"),
            media=FakeMediaReader(tmp_path / "media"),
            clock=clock,
        )

        def press(progress: Progress) -> None:
            if progress.step == 1:
                raise KeyboardInterrupt

        call = {"provider": "local", "model": "wan2.1-t2v-1.3b"}
        words = {"prompt": "a fox", **SMALL}
        with pytest.raises(KeyboardInterrupt):
            generation.submit(Feature.TEXT_TO_VIDEO, **call, arguments=words, on_progress=press)
        (job,) = repository.list(JobQuery())
        assert job.status is JobStatus.CANCELED
        assert list(spool.iterdir()) == []
        after = generation.submit(Feature.TEXT_TO_VIDEO, **call, arguments=words)
        assert after.status is JobStatus.COMPLETED


class TestLaterWords:
    def test_a_finished_file_is_not_lost(
        self, provider: LocalProvider, studio: Materials, dead: ProcessIdentity
    ) -> None:
        """Whatever happened to the process, a finished video is found with its recipe and facts."""
        request = studio.request()
        made = provider.submit(request, RecordingObserver())
        job = replace(request.job, call_id=dead.call_id, status=JobStatus.RUNNING)
        for report in (provider.poll(job), provider.cancel(job)):
            assert report.status is JobStatus.COMPLETED
            assert report.video == made.video
            assert report.facts["device"] == "cpu"

    def test_a_living_process(self, provider: LocalProvider, studio: Materials) -> None:
        """While the process lives the job runs, and a cancel is on its way."""
        job = replace(
            studio.request().job,
            call_id=ProcessIdentity.current().call_id,
            status=JobStatus.RUNNING,
        )
        assert provider.poll(job).status is JobStatus.RUNNING
        assert provider.cancel(job).status is JobStatus.CANCELING

    def test_a_dead_process(
        self, provider: LocalProvider, studio: Materials, dead: ProcessIdentity
    ) -> None:
        """A job whose process died is lost, and says so; asked to stop, it has stopped."""
        job = replace(studio.request().job, call_id=dead.call_id, status=JobStatus.RUNNING)
        report = provider.poll(job)
        assert (report.status, report.error_code) == (JobStatus.FAILED, "worker_lost")
        assert str(dead.pid) in str(report.error)
        assert provider.cancel(job).status is JobStatus.CANCELED

    def test_another_process_of_the_same_number(
        self, provider: LocalProvider, studio: Materials
    ) -> None:
        """A number that was given to a new process does not keep a dead job alive."""
        me = ProcessIdentity.current()
        start, _, rest = me.birth.partition("-")
        reused = replace(me, birth=f"{int(start) + 1000}-{rest}")
        job = replace(studio.request().job, call_id=reused.call_id, status=JobStatus.RUNNING)
        assert provider.poll(job).status is JobStatus.FAILED

    def test_another_machine(self, provider: LocalProvider, studio: Materials) -> None:
        """What another machine runs cannot be seen from here, and is left alone."""
        there = replace(ProcessIdentity.current(), host="far:away")
        job = replace(studio.request().job, call_id=there.call_id, status=JobStatus.RUNNING)
        report = provider.poll(job)
        assert report.status is JobStatus.RUNNING
        assert "far:away" in report.message
        assert f"cancel the job {job.job_id} as lost" in report.message
        assert not report.is_reachable
        assert provider.cancel(job).status is JobStatus.CANCELING

    def test_no_process_yet(self, options: LocalOptions, spool: Path, studio: Materials) -> None:
        """A job that was stored a moment ago is about to start; later it has been lost."""
        job = studio.request().job
        passed = timedelta(seconds=1)
        provider = LocalProvider(options, spool, now=lambda: job.creation_time + passed)
        assert provider.poll(job).status is JobStatus.QUEUED
        passed = timedelta(minutes=5)
        report = provider.poll(job)
        assert (report.status, report.error_code) == (JobStatus.FAILED, "worker_lost")

    def test_a_claim_names_the_process_too(
        self, provider: LocalProvider, studio: Materials, spool: Path
    ) -> None:
        """A job whose first word was not stored is found by the claim in the spool."""
        yesterday = timedelta(days=1)
        job = studio.request().job
        job = replace(job, creation_time=job.creation_time - yesterday)
        spool.mkdir()
        (spool / f"{job.job_id}.run").write_text(ProcessIdentity.current().call_id)
        assert provider.poll(job).status is JobStatus.RUNNING

    @pytest.mark.parametrize("call_id", ["fc-123", "local:here", "local:a:b:c", ""])
    def test_a_call_id_of_somebody_else(self, call_id: str) -> None:
        """What is no name of a process is not taken for one."""
        assert ProcessIdentity.from_call_id(call_id) is None

    def test_a_call_id_comes_back(self) -> None:
        """The name of a process is enough to find it again."""
        worker = ProcessIdentity.from_call_id(ProcessIdentity.current().call_id)
        assert worker is not None
        assert worker == ProcessIdentity.current()
        assert worker.is_running()


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a package look as if it were not installed."""
    original = module.importlib.util.find_spec

    def find_spec(asked: str, *rest: Any) -> Any:
        return None if asked == name else original(asked, *rest)

    monkeypatch.setattr(module.importlib.util, "find_spec", find_spec)
