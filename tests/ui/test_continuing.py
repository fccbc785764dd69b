"""A shot that goes on and a loop, in the form: which fields it has, and which call it makes."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiomagic import TioMagic
from tiomagic.errors import ResourceNotFoundError
from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.expected_call import ExpectedCall, expect_call
from tiomagic.ui.form.fields import Field, entries_of, resting_entries
from tiomagic.ui.form.shots import Shot
from tiomagic.ui.models.samples import SAMPLE_FILES
from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.testing import FakeProvider
from tiomagic_domain.testing.repository import make_job

MODEL = "wan2.1-vace-14b"
PROMPT = "a person dances"


@pytest.fixture
def tm(tmp_path: Path) -> Iterator[TioMagic]:
    """``tm`` over a remote provider that is a fake."""
    remote = FakeProvider(tmp_path / "spool", name="modal", default_model=MODEL)
    given = {"providers": {"modal": remote}}
    with closing(TioMagic(working_dir=tmp_path, provider="modal", overrides=given)) as made:
        yield made


@pytest.fixture
def controller(tm: TioMagic) -> PageController:
    """The use cases of its page."""
    return PageController(tm.session)


def finished(tm: TioMagic, folder: Path, **fields: Any) -> Job:
    """Store a job that has a video."""
    video = folder / "dance.mp4"
    shutil.copy(SAMPLE_FILES["skeletons.mp4"], video)
    given = {"model": MODEL, "provider": "modal", "status": JobStatus.COMPLETED}
    job = make_job(prompt=PROMPT, **{**given, "result_video": str(video), **fields})
    tm.session.container.repository().add(job)
    return job


def named(controller: PageController, choice: FormState) -> dict[str, Field]:
    """Return the fields of a form by name, in their order."""
    return {field.name: field for field in controller.chooser.fields(choice)}


def entered(fields: list[Field], **values: Any) -> list[Any]:
    """Return what a browser sends of a form, with some values typed into it."""
    began = {
        name: value
        for field in fields
        for name, value in zip(field.entries, field.initial, strict=True)
    }
    return list({**began, **values}.values())


def draft_of(choice: FormState, fields: list[Field], **values: Any) -> str:
    """Return what a browser keeps of a form."""
    names, resting = entries_of(fields), resting_entries(fields)
    given = dict(zip(names, entered(fields, **values), strict=True))
    kept = {n: given[n] for n, rest in zip(names, resting, strict=True) if given[n] != rest}
    about = {name: choice[name] for name in ("provider", "feature", "model", "first_choices")}
    return json.dumps({"choice": about, "values": kept})


@pytest.mark.parametrize("seconds", ["", "3"])
def test_the_form_makes_the_job_that_extend_makes(
    tm: TioMagic, controller: PageController, tmp_path: Path, seconds: str
) -> None:
    """The same arguments, the same notes, and the same choices of the user."""
    old = finished(tm, tmp_path)
    choice, notes = controller.continue_job(old.job_id)
    assert notes == []
    fields = controller.chooser.fields(choice)
    (made,) = controller.submit(choice, entered(fields, seconds=seconds, seed="7"))
    given = {"seconds": float(seconds)} if seconds else {}
    expected = tm.extend(old.job_id, seed=7, **given).record
    for part in ("feature", "model", "required_args", "optional_args", "facts"):
        assert getattr(made, part) == getattr(expected, part), part
    assert made.chosen is not None
    assert expected.chosen is not None
    assert {*made.chosen.names} == {*expected.chosen.names}
    assert made.chosen.sizes == expected.chosen.sizes


def test_the_video_takes_the_place_of_the_picture(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """And the seconds to add that of the length, which counts what the model sees of the old part.

    Before all settings; the prompt goes along, and the seed does not.
    """
    choice, _ = controller.continue_job(finished(tm, tmp_path).job_id)
    fields = named(controller, choice)
    assert list(fields)[:3] == ["prompt", "continued_video", "seconds"]
    assert not {"image", "loop"} & fields.keys()
    assert fields["num_frames"].expert
    assert (fields["prompt"].value, fields["seed"].value) == (PROMPT, None)
    shown = controller.expect(choice).html
    # 81 frames, of which the model begins with 17 that are there.
    assert "4.0 s more (64 new frames)" in shown
    assert "size of the video" in shown
    given = entered(list(fields.values()), seconds="2")
    assert "2.0 s more (32 new frames)" in controller.expect(choice, given).html


def test_the_continuation_goes_along(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """To another model, through a feature that has none, and over a reload."""
    desk = controller.chooser
    choice, _ = controller.continue_job(finished(tm, tmp_path).job_id)
    kept = draft_of(choice, desk.fields(choice), seconds="2")
    again = desk.restore_draft(kept)
    other, left_out = desk.switch("local", "image_to_video", "ltx-2", kept)
    assert left_out == []
    for one in (again, other):
        assert desk.shot_of(one) is Shot.CONTINUATION
        assert named(controller, one)["seconds"].value == "2"
    away, _ = desk.switch("local", "text_to_video", "doodle", kept)
    assert named(controller, away).keys() & {"seconds", "continued_video"} == set()


def test_a_length_is_what_is_added(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """The buttons of lengths fill the seconds, and only those are there that can be added."""
    desk = controller.chooser
    choice, _ = controller.continue_job(finished(tm, tmp_path).job_id)
    kept = draft_of(choice, desk.fields(choice))
    assert named(controller, desk.fill_shape(choice, kept, "3s"))["seconds"].value == 3
    # 10 s are 161 frames, the most that the model makes, and 17 of them would be old ones.
    assert named(controller, desk.fill_shape(choice, kept, "10s"))["seconds"].value is None


def test_the_settings_of_a_continued_job_come_back(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """With its video from the kept inputs, and the seconds that were asked for."""
    job = tm.extend(finished(tm, tmp_path).job_id, seconds=3, seed=7).record
    fields = named(controller, controller.settings_of(job.job_id))
    assert isinstance(fields["continued_video"].value, FormFile)
    assert fields["seconds"].value == 3
    assert fields["num_frames"].value == fields["num_frames"].default
    (made,) = controller.submit(controller.settings_of(job.job_id), entered(list(fields.values())))
    assert made.optional_args["num_frames"] == job.optional_args["num_frames"]
    digests = [one.arguments["continued_video"]["sha256"] for one in (made, job)]
    assert digests[0] == digests[1]


def test_a_video_without_a_picture_model_gets_another_model(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """Text alone continues nothing; the page says which model it took."""
    old = finished(tm, tmp_path, model="wan2.1-t2v-1.3b")
    choice, (note,) = controller.continue_job(old.job_id)
    assert choice["model"] == MODEL
    assert note == f"wan2.1-t2v-1.3b cannot begin with a picture; this is {MODEL}."


def test_a_job_without_a_video_is_not_continued(tm: TioMagic, controller: PageController) -> None:
    """Nor one that is not there."""
    job = make_job(status=JobStatus.FAILED, error="no memory")
    tm.session.container.repository().add(job)
    for job_id in (job.job_id, "0" * 32):
        with pytest.raises(ResourceNotFoundError):
            controller.continue_job(job_id)


def test_a_sample_begins_a_shot_of_its_own(
    tm: TioMagic, controller: PageController, tmp_path: Path
) -> None:
    """Its pictures have their places again."""
    desk = controller.chooser
    old = finished(tm, tmp_path, model="doodle")
    choice, _ = controller.continue_job(old.job_id)
    choice = desk.choose("local", "image_to_video", "doodle", choice["values"])
    sample = desk.fill_sample(choice, draft_of(choice, desk.fields(choice)), "0")
    assert desk.shot_of(sample) is Shot.SINGLE
    assert named(controller, sample)["image"].value is not None


def test_a_loop_asks_for_no_last_picture(controller: PageController) -> None:
    """It stands with the pictures, and the length does not count the picture that is left out."""
    desk = controller.chooser
    choice = desk.choose("local", "interpolate", "doodle")
    fields = named(controller, choice)
    assert list(fields)[:4] == ["prompt", "first_frame", "last_frame", "loop"]
    assert not fields["loop"].expert
    loop = desk.reshape(choice, draft_of(choice, list(fields.values()), loop=True))
    assert desk.shot_of(loop) is Shot.LOOP
    assert "last_frame" not in named(controller, loop)
    assert "1.0 s (16 frames)" in controller.expect(loop).html
    picture = desk.choose("local", "image_to_video", "doodle", {"loop": True})
    assert list(named(controller, picture))[:3] == ["prompt", "image", "loop"]
    assert "1.0 s (16 frames)" in controller.expect(picture).html


def test_the_loop_of_a_form_is_that_of_a_call(tm: TioMagic, controller: PageController) -> None:
    """The same job, from one picture."""
    desk = controller.chooser
    square = desk.fill_sample(desk.choose("modal", "image_to_video", "doodle"), "", "0")
    given = {name: square["values"][name] for name in ("image",)}
    choice = desk.choose("modal", "image_to_video", MODEL, {**given, "loop": True})
    fields = desk.fields(choice)
    (made,) = controller.submit(choice, entered(fields, prompt="a square bounces", seed="7"))
    path = SAMPLE_FILES["square.png"]
    call = tm.image_to_video(MODEL, prompt="a square bounces", image=str(path), loop=True, seed=7)
    assert made.feature is call.record.feature is Feature.INTERPOLATE
    assert made.arguments == call.record.arguments


def test_pictures_and_plain_videos_count_before_a_run(controller: PageController) -> None:
    """Keyframes and last pictures are tokens of some models; a plain video needs the estimator."""
    desk = controller.chooser

    def call_of(feature: str, model: str, **values: Any) -> ExpectedCall:
        choice = desk.choose("local", feature, model)
        fields = desk.fields(choice)
        given = dict(zip(entries_of(fields), entered(fields, **values), strict=True))
        return expect_call(models()[model], Feature(feature), fields, given)

    file = {"path": "sample/square.png"}
    ends = {"first_frame": file, "last_frame": file}
    row = {"keyframes-0-image": file, "keyframes-0-frame": "8"}
    assert call_of("interpolate", "ltx-2", **ends).settings["picture_frames"] == [0, 120]
    both = call_of("interpolate", "ltx-2", **ends, **row)
    assert both.settings["picture_frames"] == [0, 8, 120]
    pose = {"image": file, "guiding_video": file}
    plain = call_of("pose_guidance", "ltx-2", **pose)
    assert "picture_frames" not in plain.settings
    assert plain.settings["finds_poses"]
    ended = call_of("pose_guidance", "ltx-2", **pose, last_frame=file, control="edges")
    assert ended.settings["picture_frames"] == [0, 120]
    assert "finds_poses" not in ended.settings
