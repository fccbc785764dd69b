"""The fakes keep the contracts that they stand in for."""

import itertools
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import (
    ImageToVideoInputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports import Request
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing import (
    BlockingProviderContract,
    ClockContract,
    FakeClock,
    FakeEngine,
    FakeMaskReader,
    FakeMediaReader,
    FakePictures,
    FakeProvider,
    FakeVideoJoiner,
    ImageToVideoContract,
    InterpolateContract,
    MaskReaderContract,
    MediaReaderContract,
    PicturesContract,
    PoseGuidanceContract,
    RemoteProviderContract,
    TextToVideoContract,
    VideoJoinerContract,
    make_job,
    make_video,
)


class TestFakeClock(ClockContract):
    @pytest.fixture
    def clock(self):
        return FakeClock()


class TestFakePictures(PicturesContract):
    @pytest.fixture
    def pictures(self):
        return FakePictures()

    @pytest.fixture
    def video(self, tmp_path):
        return make_video(tmp_path / "spool").path


class TestFakeVideoJoiner(VideoJoinerContract):
    @pytest.fixture
    def joiner(self):
        return FakeVideoJoiner()

    @pytest.fixture
    def clip(self, tmp_path):
        return FakeMediaReader(tmp_path).add("walk.mp4", MediaKind.VIDEO)


class TestFakeMaskReader(MaskReaderContract):
    @pytest.fixture
    def masks(self, black):
        reader = FakeMaskReader()
        reader.white_parts[black.sha256] = 0.0
        return reader

    @pytest.fixture
    def black(self, tmp_path):
        return FakeMediaReader(tmp_path).add("black.mp4", MediaKind.VIDEO)

    @pytest.fixture
    def mask(self, tmp_path):
        return FakeMediaReader(tmp_path).add("mask.mp4", MediaKind.VIDEO)


class TestFakeMediaReader(MediaReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return FakeMediaReader(tmp_path / "kept")

    @pytest.fixture
    def picture(self, reader):
        reader.add("fox.png")
        return "fox.png"

    @pytest.fixture
    def video(self, reader):
        reader.add("walk.mp4", MediaKind.VIDEO, frames=33)
        return "walk.mp4"

    @pytest.fixture
    def picture_bytes(self):
        return b"a picture"


def new_request_of(model):
    return lambda: Request(job=make_job(model=model), card=find_model(model))


@pytest.fixture
def new_request():
    return new_request_of("wan2.1-t2v-1.3b")


class TestBlockingFakeProvider(BlockingProviderContract):
    @pytest.fixture
    def provider(self, tmp_path):
        return FakeProvider(tmp_path, blocking=True)

    @pytest.fixture
    def count_runs(self, provider):
        return lambda: len(provider.runs)


class TestRemoteFakeProvider(RemoteProviderContract):
    @pytest.fixture
    def provider(self, tmp_path):
        script = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.COMPLETED)
        return FakeProvider(tmp_path, script=script)

    @pytest.fixture
    def count_runs(self, provider):
        return lambda: len(provider.runs)

    @pytest.fixture
    def long_request(self, new_request):
        return new_request  # Nothing ends before it is polled often enough.

    @pytest.fixture
    def cut_off(self, provider):
        @contextmanager
        def unreachable():
            provider.unreachable = True
            yield
            provider.unreachable = False

        return unreachable


class EngineFixtures:
    @pytest.fixture
    def engine(self):
        return FakeEngine()

    @pytest.fixture
    def settings(self):
        return {"num_frames": 5, "width": 32, "height": 16, "num_inference_steps": 3, "seed": 7}

    @pytest.fixture
    def picture(self, tmp_path):
        return FakeMediaReader(tmp_path).read(b"a picture", MediaKind.IMAGE)


class TestTextToVideo(EngineFixtures, TextToVideoContract):
    @pytest.fixture
    def inputs(self):
        return TextToVideoInputs(prompt="a fox")


class TestImageToVideo(EngineFixtures, ImageToVideoContract):
    @pytest.fixture
    def inputs(self, picture):
        return ImageToVideoInputs(prompt="a fox", image=picture)


class TestInterpolate(EngineFixtures, InterpolateContract):
    @pytest.fixture
    def inputs(self, picture):
        return InterpolateInputs(prompt="a fox", first_frame=picture, last_frame=picture)


class TestPoseGuidance(EngineFixtures, PoseGuidanceContract):
    @pytest.fixture
    def inputs(self, picture):
        skeletons = replace(picture, kind=MediaKind.VIDEO, frames=5, fps=16.0)
        return PoseGuidanceInputs(prompt="a fox", image=picture, pose_video=skeletons)


def test_a_clock_that_is_set_does_not_age():
    """Correcting the date moves ``now`` alone, and sleeps are remembered."""
    clock = FakeClock()
    clock.sleep(2)
    clock.set(clock.now().replace(year=2020))
    assert (clock.now().year, clock.monotonic(), clock.slept) == (2020, 2, [2])


def test_a_fake_run_can_be_brought_to_an_end(tmp_path, new_request):
    """Tests decide when and how a run ends."""
    provider = FakeProvider(tmp_path, script=itertools.repeat(JobStatus.RUNNING, 1))
    request = new_request()
    provider.submit(request, None)
    provider.finish(request.job.job_id, JobStatus.FAILED)
    assert provider.poll(request.job).status is JobStatus.FAILED


def test_a_fake_engine_can_fail():
    """Tests decide that a model cannot make the video; what was asked for is kept."""
    engine = FakeEngine()
    engine.failure = GenerationError("no memory")
    inputs = TextToVideoInputs(prompt="a fox")
    with pytest.raises(GenerationError, match="no memory"):
        engine.text_to_video(inputs, {"num_inference_steps": 1}, ignore_progress, NeverCanceled())
    assert engine.asked == [("text_to_video", inputs)]
