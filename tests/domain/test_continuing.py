"""Shots that go on: what a call becomes, how long it is, and what is saved in the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.media import MediaKind, Seam
from tiomagic_domain.requests.asked_sizes import describe_sizes
from tiomagic_domain.requests.preparation import SIZE_NOTES_FACT, Preparation
from tiomagic_domain.testing import (
    FakeClock,
    FakeMediaReader,
    FakeOutputStore,
    FakeProvider,
    FakeVideoJoiner,
    MemoryJobRepository,
)
from tiomagic_domain.usecases.generation import Generation

VACE = models()["wan2.1-vace-1.3b"]
ONE_FRAME = replace(VACE, context_frames=1)
SEVENTEEN = replace(VACE, context_frames=17)
LAST_MISSING = replace(VACE, shows_last_frame=False)
ONLY_BETWEEN = models()["wan2.1-flf2v-14b-720p"]
ONLY_WORDS = models()["cogvideox-5b"]
ONLY_PICTURES = models()["cogvideox-5b-image-to-video"]


@pytest.fixture
def media(tmp_path):
    """A reader that knows two pictures and three videos of 16 frames a second."""
    reader = FakeMediaReader(tmp_path / "inputs")
    reader.add("star.png")
    reader.add("moon.png")
    reader.add("walk.mp4", MediaKind.VIDEO, frames=48)
    reader.add("short.mp4", MediaKind.VIDEO, frames=6)
    reader.add("large.mp4", MediaKind.VIDEO, width=1920, height=1080, frames=48)
    reader.add("stamp.mp4", MediaKind.VIDEO, width=64, height=64, frames=48)
    return reader


@pytest.fixture
def joiner():
    """A joiner whose results have a seam of 6 against 4."""
    return FakeVideoJoiner()


@pytest.fixture
def preparation(media, joiner):
    """The preparation of requests."""
    return Preparation(media, FakeClock(), joiner=joiner, seeds=lambda: 7)


def test_models_of_one_engine_see_as_much_of_a_continued_video():
    """An engine that goes on with a motion does so with all of its models.

    Except doodle, which was tried with several frames and was worse.
    """
    seen = {}
    for card in models().values():
        if Feature.IMAGE_TO_VIDEO in card.features and card.name != "doodle":
            seen.setdefault(card.engine, set()).add(card.context_frames)
    assert {engine: counts for engine, counts in seen.items() if len(counts) > 1} == {}


SCALED = (
    "is scaled from 1920x1080 to 480x480, the size of the new part, and 44 % of its width is cut "
    "off"
)


@pytest.mark.parametrize(
    ("video", "arguments", "said"),
    [
        ("walk.mp4", {}, None),
        (
            "large.mp4",
            {"width": 480, "height": 480},
            SCALED,
        ),
        (
            "walk.mp4",
            {"fps": 8},
            "has 16 frames a second; the new part is made at 8 and shown at 16, at its own pace",
        ),
    ],
)
def test_what_becomes_of_the_old_part_is_known_before_the_run(preparation, video, arguments, said):
    """Its size and its rate are the model's, and no note is about a picture that nobody gave."""
    request = continued(preparation, VACE, continued_video=video, **arguments)
    wanted = [] if said is None else [f"continued_video: {said}"]
    assert request.job.facts.get(SIZE_NOTES_FACT, []) == wanted


def continued(preparation, card, **arguments):
    """Return the request of a continuation."""
    call = {"prompt": "a fox", "continued_video": "walk.mp4", **arguments}
    return preparation.prepare(Feature.IMAGE_TO_VIDEO, card, "local", call)


def problems_of(preparation, feature, card, arguments):
    """Return the problems of a call by field."""
    with pytest.raises(ValidationError) as caught:
        preparation.prepare(feature, card, "local", {"prompt": "a fox", **arguments})
    return {problem.field: problem for problem in caught.value.problems}


def test_a_model_of_pictures_begins_with_the_last_frame(preparation, media):
    """It gets a picture and nothing of the video, and the record has both by their hashes."""
    request = continued(preparation, ONE_FRAME)
    walk = media.read("walk.mp4", MediaKind.VIDEO)
    assert request.inputs.image.read_bytes() == f"{walk.sha256} frame 47".encode()
    assert request.inputs.context is None
    assert set(request.media) == {"image"}
    assert request.job.arguments["continued_video"]["sha256"] == walk.sha256
    assert request.job.facts["overlap_frames"] == request.overlap_frames == 1
    assert "continued_video" not in request.settings


def test_a_model_that_sees_motion_gets_several_frames(preparation):
    """The picture is the first of them, since it is frame 0 of what is made."""
    request = continued(preparation, SEVENTEEN)
    assert request.inputs.image.read_bytes().endswith(b"frame 31")
    assert request.inputs.context.frames == request.overlap_frames == 17
    assert request.inputs.context.read_bytes().endswith(b"frame 47")
    assert preparation.restore(request.job, SEVENTEEN) == request


def test_a_short_video_gives_what_it_has(preparation):
    """Of 6 frames 5 are taken: models that compress four to one take 4k+1."""
    request = continued(preparation, SEVENTEEN, continued_video="short.mp4")
    assert request.overlap_frames == 5


def test_frames_are_taken_at_the_pace_of_the_model(preparation):
    """At 8 frames a second each second frame of a video of 16 is taken."""
    request = continued(preparation, replace(VACE, context_frames=5), fps=8)
    assert request.inputs.image.read_bytes().endswith(b"frame 39")


@pytest.mark.parametrize(("card", "frames"), [(ONE_FRAME, 33), (SEVENTEEN, 49)])
def test_seconds_are_those_of_the_new_part(preparation, card, frames):
    """2 s are 32 new frames, beside those that the model sees."""
    request = continued(preparation, card, seconds=2)
    assert request.job.arguments["num_frames"] == frames
    assert frames - request.doubled_frames == 32
    asked = {"continued_video": "walk.mp4", "seconds": 2}
    assert describe_sizes(card, Feature.IMAGE_TO_VIDEO, asked) == "32 frames, 2.00 s"


def test_more_than_a_model_adds_at_once_is_refused(preparation):
    """The longest is said, and what to do for more."""
    call = {"continued_video": "walk.mp4", "seconds": 20}
    found = problems_of(preparation, Feature.IMAGE_TO_VIDEO, SEVENTEEN, call)
    assert "between 0.25 and 9.00" in found["seconds"].message
    assert "continue the result again" in found["seconds"].message


def test_a_length_without_a_new_frame_is_refused(preparation):
    """17 frames of the old video leave nothing of 17."""
    call = {"continued_video": "walk.mp4", "num_frames": 17}
    found = problems_of(preparation, Feature.IMAGE_TO_VIDEO, SEVENTEEN, call)
    assert found["num_frames"].nearest == 21


def test_a_continued_video_stands_at_the_beginning(preparation):
    """Pusa places a picture anywhere; what goes on can only be first."""
    call = {"continued_video": "walk.mp4", "cond_position": 3}
    found = problems_of(preparation, Feature.IMAGE_TO_VIDEO, models()["pusa-v1"], call)
    assert found["cond_position"].nearest == 0


def test_a_picture_beside_a_continued_video_is_refused(preparation):
    """It would not be used."""
    call = {"continued_video": "walk.mp4", "image": "star.png"}
    assert set(problems_of(preparation, Feature.IMAGE_TO_VIDEO, SEVENTEEN, call)) == {"image"}


def test_a_video_that_is_not_there_is_one_problem(preparation):
    """And the picture that it would give is not missed as well."""
    call = {"continued_video": "gone.mp4"}
    found = problems_of(preparation, Feature.IMAGE_TO_VIDEO, SEVENTEEN, call)
    assert set(found) == {"continued_video"}
    # The video may bring its prompt; an empty one is a problem of its own.
    for prompt, problems in ((None, {"continued_video"}), ("", {"continued_video", "prompt"})):
        given = {**call, "prompt": prompt}
        found = problems_of(preparation, Feature.IMAGE_TO_VIDEO, SEVENTEEN, given)
        assert set(found) == problems


@pytest.mark.parametrize(
    ("video", "arguments", "size"),
    [
        ("walk.mp4", {}, (832, 480)),
        ("walk.mp4", {"width": 640}, (640, 368)),
        ("large.mp4", {}, (832, 480)),
        ("stamp.mp4", {}, (832, 480)),
    ],
)
def test_the_size_is_the_videos_own_where_the_model_makes_it(preparation, video, arguments, size):
    """Then the old part stays as it is; else the picture decides, 832x480 of this reader."""
    request = continued(preparation, SEVENTEEN, continued_video=video, **arguments)
    assert (request.settings["width"], request.settings["height"]) == size


def test_a_loop_ends_with_its_first_picture(preparation):
    """The picture is given once; the last frame of the clip is not shown."""
    call = {"prompt": "a star spins", "first_frame": "star.png", "loop": True, "seconds": 2}
    request = preparation.prepare(Feature.INTERPOLATE, VACE, "local", call)
    assert request.inputs.first_frame == request.inputs.last_frame
    assert request.is_loop
    assert (request.settings["num_frames"], request.doubled_frames) == (33, 1)
    assert "loop" not in request.settings
    again = preparation.prepare(Feature.INTERPOLATE, VACE, "local", request.job.arguments)
    assert again.inputs == request.inputs


def test_a_model_that_ends_before_its_last_picture_doubles_nothing(preparation):
    """So all of its frames are shown."""
    call = {"prompt": "a star spins", "first_frame": "star.png", "loop": True}
    request = preparation.prepare(Feature.INTERPOLATE, LAST_MISSING, "local", call)
    assert request.doubled_frames == 0


def test_a_loop_with_another_last_picture_is_refused(preparation):
    """It would not close."""
    call = {"first_frame": "star.png", "last_frame": "moon.png", "loop": True}
    assert set(problems_of(preparation, Feature.INTERPOLATE, VACE, call)) == {"last_frame"}


@pytest.mark.parametrize("name", ["wan2.1-flf2v-14b-720p", "doodle"])
def test_a_loop_without_a_picture_needs_the_first(preparation, name):
    """The last one is the same."""
    found = problems_of(preparation, Feature.INTERPOLATE, models()[name], {"loop": True})
    assert set(found) == {"first_frame"}


@pytest.mark.parametrize(
    ("ratio", "seam"),
    [
        (1.5, Seam(frame=0, rmse=6.0, median_step_rmse=4.0)),
        (0.0, Seam(frame=0, rmse=0.0, median_step_rmse=0.0)),
        (None, Seam(frame=0, rmse=6.0, median_step_rmse=0.0)),
    ],
)
def test_a_seam_is_a_step_against_the_usual_one(ratio, seam):
    """Where nothing moves but at the seam there is no ratio."""
    assert seam.ratio == seam.to_dict()["ratio"] == ratio


class TestGeneration:
    """The whole of it, from the call to the saved video."""

    @pytest.fixture
    def provider(self, tmp_path):
        return FakeProvider(
            tmp_path / "spool", name="local", blocking=True, default_model=VACE.name
        )

    @pytest.fixture
    def outputs(self, tmp_path):
        return FakeOutputStore(tmp_path / "outputs")

    @pytest.fixture
    def generation(self, provider, media, outputs, joiner):
        return Generation(
            providers={"local": provider},
            repository=MemoryJobRepository(),
            outputs=outputs,
            media=media,
            clock=FakeClock(),
            joiner=joiner,
        )

    def submit(self, generation, feature, model=None, **arguments):
        call = {"prompt": "a fox", **arguments}
        return generation.submit(feature, provider="local", model=model, arguments=call)

    def test_what_is_saved_is_the_whole(self, generation, joiner, media, tmp_path):
        """The old bytes and then the new ones; the record has the seam and the whole's length."""
        job = self.submit(generation, Feature.IMAGE_TO_VIDEO, continued_video="walk.mp4")
        assert job.status is JobStatus.COMPLETED
        walk = media.read("walk.mp4", MediaKind.VIDEO).read_bytes()
        assert Path(job.result_video).read_bytes().startswith(walk)
        assert job.facts["seam"] == {
            "frame": 16,
            "rmse": 6.0,
            "median_step_rmse": 4.0,
            "ratio": 1.5,
        }
        assert (job.facts["frames"], job.facts["notes"]) == (32, ["joined"])
        # This provider says nothing of frames that it left out, so the joiner leaves them out.
        assert joiner.skipped == [job.facts["overlap_frames"]]
        assert not list((tmp_path / "spool").iterdir())

    def test_the_new_part_alone_is_saved_where_the_old_one_is_gone(
        self, generation, provider, media
    ):
        """A note says so: hours of work are not lost."""
        walk = media.read("walk.mp4", MediaKind.VIDEO).path
        provider.during = lambda _step: walk.unlink(missing_ok=True)
        job = self.submit(generation, Feature.IMAGE_TO_VIDEO, continued_video="walk.mp4")
        assert job.status is JobStatus.COMPLETED
        assert "new part alone" in job.facts["notes"][0]
        assert "seam" not in job.facts

    def test_a_loop_without_its_picture_says_so_by_its_name(self, generation):
        """As the call has it, which is no interpolation to its caller."""
        for model, name in ((VACE.name, "image"), (ONLY_BETWEEN.name, "first_frame")):
            with pytest.raises(ValidationError) as caught:
                self.submit(generation, Feature.IMAGE_TO_VIDEO, model, loop=True)
            assert [problem.field for problem in caught.value.problems] == [name]

    def test_a_picture_that_loops_is_an_interpolation(self, generation):
        """Its record says so, and has the seam."""
        job = self.submit(generation, Feature.IMAGE_TO_VIDEO, image="star.png", loop=True)
        assert job.feature is Feature.INTERPOLATE
        assert job.arguments["first_frame"] == job.arguments["last_frame"]
        assert job.facts["seam"]["ratio"] == 1.5

    def test_a_model_that_only_interpolates_makes_a_loop_of_a_picture(self, generation):
        """It is not asked whether it can begin with a picture alone."""
        given = {"image": "star.png", "loop": True}
        job = self.submit(generation, Feature.IMAGE_TO_VIDEO, ONLY_BETWEEN.name, **given)
        assert (job.feature, job.model) == (Feature.INTERPOLATE, ONLY_BETWEEN.name)

    @pytest.mark.parametrize(
        ("feature", "model", "arguments", "said"),
        [
            (Feature.IMAGE_TO_VIDEO, ONLY_PICTURES.name, {"image": "star.png"}, VACE.name),
            (Feature.TEXT_TO_VIDEO, ONLY_WORDS.name, {}, "image_to_video and interpolate"),
            (Feature.IMAGE_TO_VIDEO, VACE.name, {"continued_video": "walk.mp4"}, "go"),
        ],
    )
    def test_what_cannot_loop_is_refused(
        self, generation, provider, feature, model, arguments, said
    ):
        """Before anything runs, with the models that can."""
        with pytest.raises(ValidationError, match=said) as caught:
            self.submit(generation, feature, model, loop=True, **arguments)
        assert [problem.field for problem in caught.value.problems] == ["loop"]
        assert not provider.submitted
