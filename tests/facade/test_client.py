"""``tm``: calls, errors and old scripts, over fake providers and a real database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.facade.conftest import MODEL, VACE, FakeApp

from tiomagic import TioMagic
from tiomagic.api.arguments import build_job_query
from tiomagic.errors import (
    APIError,
    ConfigurationError,
    GenerationError,
    JobExecutionError,
    ResourceNotFoundError,
    TioMagicError,
    UnknownModelError,
    UnknownProviderError,
    ValidationError,
)
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports import ProviderBase


def test_a_script_of_1_0_0_runs_unchanged(
    fake_app: FakeApp, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configure, generate, check, cancel and list as scripts of the old version do."""
    tm = fake_app.tm
    tm.configure(provider="modal", gpu="A100-80GB", timeout="1800", scaledown_window=900)
    required_args = {"prompt": "a fox runs"}
    job = tm.text_to_video(model=VACE, required_args=required_args, num_frames=81, seed=None)
    assert job.status == "queued"
    assert job.generation is not None
    assert job.generation["required_args"] == required_args

    job = tm.check_generation_status(job.job_id, returnJob=True)
    assert job.status == "running"
    job = tm.check_generation_status(job.job_id)
    assert job.status == "completed"
    assert job.result_video is not None
    assert Path(job.result_video).parent == folder / "output_videos"
    assert job.generation is not None
    assert job.generation["result_video"] == job.result_video

    other = tm.text_to_video(VACE, required_args)
    assert tm.cancel_job(other.job_id).status == "canceling"
    assert tm.check_generation_status(other.job_id).status == "canceled"

    log = json.loads((folder / "generation_log.json").read_text())
    assert {entry["job_id"]: entry["generation"]["status"] for entry in log["jobs"]} == {
        job.job_id: "completed",
        other.job_id: "canceled",
    }
    tree = tm.list_implementations()
    printed = capsys.readouterr().out.split()
    assert [word for word in printed if word in tree] == sorted(tree)
    assert VACE in tree["modal"]["pose_guidance"]


@pytest.mark.parametrize(
    ("feature", "arguments"),
    [
        ("text_to_video", {}),
        ("image_to_video", {"image": "fox.png"}),
        ("interpolate", {"first_frame": "fox.png", "last_frame": "fox.png"}),
        ("pose_guidance", {"image": "fox.png", "pose_video": "dance.mp4", "guiding_video": None}),
    ],
)
def test_each_feature_takes_plain_keywords(
    fake_app: FakeApp, feature: str, arguments: dict[str, Any]
) -> None:
    """All four features run on plain keywords, and a local run returns with its video."""
    fake_app.media.add("fox.png")
    fake_app.media.add("dance.mp4", MediaKind.VIDEO)
    fake_app.tm.configure(provider="local")
    job = getattr(fake_app.tm, feature)(VACE, prompt="a fox", seed=5, **arguments)
    assert (job.feature, job.model, job.status) == (feature, VACE, "completed")
    assert job.generation["optional_args"]["seed"] == 5
    assert Path(job.result_video).is_file()
    assert json.dumps(job.to_dict())


def test_the_default_model_is_the_providers(fake_app: FakeApp) -> None:
    """A call without a model takes what the provider says."""
    fake_app.tm.configure(provider="local")
    assert (
        fake_app.tm.text_to_video(prompt="a fox").model == MODEL == fake_app.tm.get_default_model()
    )
    assert fake_app.tm.get_default_model("modal") == VACE


def test_without_a_provider_the_error_lists_them(fake_app: FakeApp) -> None:
    """Nothing runs before somebody said where."""
    with pytest.raises(ConfigurationError, match="local, modal") as caught:
        fake_app.tm.text_to_video(prompt="a fox")
    assert caught.value.code == "no_provider"
    assert fake_app.tm.list_jobs() == []


@pytest.mark.parametrize(
    ("arguments", "field", "nearest"),
    [
        ({"num_frames": 80}, "num_frames", 81),
        ({"height": 500}, "height", 496),
        ({"num_frames": -5}, "num_frames", 5),
        ({"guidance_scale": float("nan")}, "guidance_scale", None),
        ({"num_frames": True}, "num_frames", None),
        ({"num_frames": "81"}, "num_frames", None),
        ({"prompt": None}, "prompt", None),
        ({"seeed": 5}, "seeed", "seed"),
    ],
)
def test_each_illegal_argument_is_named(
    fake_app: FakeApp, folder: Path, arguments: dict[str, Any], field: str, nearest: object
) -> None:
    """The error names the field and the nearest legal value; nothing is stored or written."""
    fake_app.tm.configure(provider="local")
    with pytest.raises(ValidationError) as caught:
        fake_app.tm.text_to_video(MODEL, **{"prompt": "a fox", **arguments})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == (field, nearest)
    assert list(folder.iterdir()) == []


def test_all_problems_come_at_once(fake_app: FakeApp, folder: Path) -> None:
    """Four wrong arguments are one error with four problems."""
    fake_app.tm.configure(provider="modal")
    with pytest.raises(ValidationError) as caught:
        fake_app.tm.text_to_video(VACE, {"prompt": 3}, num_frames=80, height=500, width="x")
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"prompt", "num_frames", "height", "width"}
    assert isinstance(caught.value, ValueError)
    assert list(folder.iterdir()) == []
    assert fake_app.modal.submitted == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda tm: tm.text_to_video("wan2.1-t2v-14", prompt="x"), UnknownModelError),
        (lambda tm: tm.text_to_video("wan2.1-i2v-14b-720p", prompt="x"), UnknownModelError),
        (lambda tm: tm.get_models("text2video", "local"), ValidationError),
        (lambda tm: tm.get_models("text_to_video", "lokal"), UnknownProviderError),
        (lambda tm: tm.get_models("text_to_video", licence="fre"), ValidationError),
        (lambda tm: tm.get_schema("text_to_video", "nothing"), UnknownModelError),
        (lambda tm: tm.get_schema("poses", VACE), ValidationError),
        (lambda tm: tm.get_job("nothing"), ResourceNotFoundError),
        (lambda tm: tm.check_generation_status("nothing", True), ResourceNotFoundError),
        (lambda tm: tm.cancel_job("nothing"), ResourceNotFoundError),
        (lambda tm: tm.rerun("nothing"), ResourceNotFoundError),
        (lambda tm: tm.rerun("nothing.mp4"), ResourceNotFoundError),
        (lambda tm: tm.list_jobs(status="done"), ValidationError),
        (lambda tm: tm.list_jobs(feature="poses"), ValidationError),
        (lambda tm: tm.list_jobs(since="yesterday"), ValidationError),
        (lambda tm: tm.list_jobs(limit=-1), ValidationError),
        (lambda tm: tm.text_to_video(MODEL, ["x"]), ValidationError),
        (lambda tm: tm.text_to_video(MODEL, {"prompt": "a"}, prompt="b"), ValidationError),
        (lambda tm: tm.text_to_video(MODEL, prompt="a", retry=1), ValidationError),
        (lambda tm: tm.text_to_video(MODEL, prompt="a", wait=False, retry=-1), ValidationError),
    ],
)
def test_each_wrong_call_has_its_error(
    fake_app: FakeApp, call: Any, error: type[Exception]
) -> None:
    """A name that does not exist, or a call that contradicts itself, stores nothing."""
    fake_app.tm.configure(provider="local")
    with pytest.raises(error) as caught:
        call(fake_app.tm)
    assert isinstance(caught.value, TioMagicError)
    assert fake_app.tm.list_jobs() == []
    assert fake_app.local.submitted == []


def test_a_failed_run_is_stored_and_raised(fake_app: FakeApp) -> None:
    """The error reaches the caller with the id of a job that is stored as failed."""
    fake_app.tm.configure(provider="local")
    fake_app.local.failure = GenerationError("out of paint", code="paint")
    with pytest.raises(GenerationError, match="out of paint") as caught:
        fake_app.tm.text_to_video(prompt="a fox")
    (job,) = fake_app.tm.list_jobs(status=["failed", "completed"])
    assert job.job_id == caught.value.details["job_id"]
    assert (job.status, job.error) == ("failed", "out of paint")
    assert "out of paint" in repr(job)


def test_a_provider_that_refuses_leaves_no_job(fake_app: FakeApp) -> None:
    """What the provider finds before it starts is raised and not stored."""
    fake_app.tm.configure(provider="modal")
    fake_app.modal.rejection = ConfigurationError("no GPU of that name")
    with pytest.raises(ConfigurationError):
        fake_app.tm.text_to_video(prompt="a fox")
    assert fake_app.tm.list_jobs() == []


def test_a_network_that_is_down_leaves_the_job(fake_app: FakeApp) -> None:
    """A check without an answer changes nothing, and the next one goes on."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video(prompt="a fox")
    fake_app.modal.unreachable = True
    assert fake_app.tm.check_generation_status(job.job_id).status == "queued"
    with pytest.raises(APIError):
        fake_app.tm.cancel_job(job.job_id)
    fake_app.modal.unreachable = False
    assert fake_app.tm.check_generation_status(job.job_id).status == "canceling"


def test_wait_true_returns_the_video_or_an_error(fake_app: FakeApp) -> None:
    """On a remote provider ``wait=True`` means what a local run means."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video(prompt="a fox", wait=True)
    assert job.status == "completed"
    fake_app.modal.failure = GenerationError("out of paint")
    with pytest.raises(JobExecutionError, match="out of paint") as caught:
        fake_app.tm.text_to_video(prompt="a fox", wait=True)
    assert fake_app.tm.get_job(str(caught.value.details["job_id"])).status == "failed"


def test_a_run_that_is_canceled_elsewhere_returns_canceled(fake_app: FakeApp) -> None:
    """Another process cancels a local run: the call returns a job that says so."""
    fake_app.tm.configure(provider="local")

    def cancel(step: int) -> None:
        if step == 2:
            raise GenerationCanceledError("stopped")

    fake_app.local.during = cancel
    assert fake_app.tm.text_to_video(prompt="a fox").status == "canceled"


def test_ctrl_c_in_a_local_run_stores_it_as_canceled(fake_app: FakeApp) -> None:
    """The interrupt reaches the caller and the job does not look as if it ran."""
    fake_app.tm.configure(provider="local")

    def interrupt(step: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    fake_app.local.during = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        fake_app.tm.text_to_video(prompt="a fox")
    (job,) = fake_app.tm.list_jobs()
    assert job.status == "canceled"
    again = f"run the job {job.job_id} again [tm.rerun('{job.job_id}')]"
    assert caught.value.__notes__ == [f"the job is canceled. To go on, {again}"]


def test_lists_are_the_callers_own(fake_app: FakeApp) -> None:
    """Callers reverse what they get in place."""
    names = fake_app.tm.get_providers()
    assert {"local", "modal"} <= set(names)
    names.reverse()
    assert fake_app.tm.get_providers() != names
    models = fake_app.tm.get_models(feature="pose_guidance", provider="modal")
    assert models == sorted(models)
    models.clear()
    assert VACE in fake_app.tm.get_models("pose_guidance", "modal")
    assert VACE in fake_app.tm.get_models("pose_guidance")


def test_many_families_follow_a_pose(fake_app: FakeApp) -> None:
    """One call for all of them, from a plain video or from skeletons."""
    cards = [find_model(name) for name in fake_app.tm.get_models("pose_guidance", "local")]
    assert len(cards) >= 9
    assert len({card.family for card in cards}) >= 4
    for card in cards:
        schema = card.schema(Feature.POSE_GUIDANCE)
        assert "guiding_video" in schema or "pose_video" in schema, card.name


def test_models_are_listed_by_what_their_licence_allows(fake_app: FakeApp) -> None:
    """One word each; the three lists together are all of them."""
    words = ("free", "limited", "research")
    by_word = {w: fake_app.tm.get_models("text_to_video", "local", licence=w) for w in words}
    assert "wan2.1-t2v-14b" in by_word["free"]
    assert "ltx-2" in by_word["limited"]
    assert "ltx-video" in by_word["research"]
    together = sorted(name for names in by_word.values() for name in names)
    assert together == fake_app.tm.get_models("text_to_video", "local")


def test_the_schema_has_the_documented_shape(fake_app: FakeApp) -> None:
    """``type`` is the Python class, as the old documentation says."""
    schema = fake_app.tm.get_schema("image_to_video", VACE)
    assert set(schema) == {"required", "optional"}
    assert schema["required"]["prompt"]["type"] is str
    assert schema["optional"]["num_frames"]["type"] is int
    assert schema["optional"]["num_frames"]["default"] == 81
    assert all("description" in entry for part in schema.values() for entry in part.values())
    exported = fake_app.tm.get_json_schema("image_to_video", VACE)
    assert exported["required"] == ["prompt", "image"]


def test_jobs_are_found_by_what_is_known_of_them(fake_app: FakeApp) -> None:
    """Every filter narrows, and pages follow each other."""
    tm = fake_app.tm
    tm.configure(provider="modal")
    first = tm.text_to_video(prompt="a Fox")
    fake_app.clock.advance(60)
    second = tm.text_to_video(prompt="a bear")

    def ids(**query: Any) -> list[str]:
        return [job.job_id for job in tm.list_jobs(**query)]

    newest_first = [second.job_id, first.job_id]
    assert ids() == ids(status="queued") == ids(feature="text_to_video") == newest_first
    assert ids(model=VACE, provider="modal") == newest_first
    assert ids(text="fox") == ids(after=second.job_id) == [first.job_id]
    moment = datetime.fromisoformat(first.creation_time) + timedelta(seconds=30)
    assert ids(until=moment) == [first.job_id]
    assert ids(since=moment.isoformat(), limit=1) == [second.job_id]
    assert ids(status=["completed"]) == []


@pytest.mark.parametrize(
    ("words", "ago"),
    [("7d", timedelta(days=7)), ("36h", timedelta(hours=36)), ("2w", timedelta(days=14))],
)
def test_a_time_may_be_so_long_ago(words: str, ago: timedelta) -> None:
    """Hours, days or weeks before now, counted at the moment of the call."""
    before = datetime.now(UTC)
    since = build_job_query({"since": words}, limit=None).since
    assert since is not None
    assert before - ago <= since <= datetime.now(UTC) - ago


def test_a_second_instance_finds_the_jobs(fake_app: FakeApp, folder: Path) -> None:
    """Jobs outlive the object that made them."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(prompt="a fox")
    fake_app.tm.close()
    other = TioMagic(working_dir=folder)
    assert other.get_job(job.job_id).to_dict() == job.to_dict()
    other.close()
    assert fake_app.tm.get_job(job.job_id).status == "completed"


def test_a_read_only_working_directory_is_named(fake_app: FakeApp, folder: Path) -> None:
    """A state folder that cannot be made is an error before anything runs."""
    (folder / ".tiomagic").write_text("a file where the folder should be")
    fake_app.tm.configure(provider="local")
    with pytest.raises(ConfigurationError, match="TIOMAGIC_DATABASE_URL"):
        fake_app.tm.text_to_video(prompt="a fox")
    assert fake_app.local.submitted == []


def test_a_corrupt_database_is_named(fake_app: FakeApp, folder: Path) -> None:
    """A database that is none is an error with its path and what to do."""
    (folder / ".tiomagic").mkdir()
    (folder / ".tiomagic" / "jobs.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigurationError, match=r"jobs\.db"):
        fake_app.tm.list_jobs()


def test_a_log_that_cannot_be_written_fails_no_job(fake_app: FakeApp, folder: Path) -> None:
    """``generation_log.json`` is a view: the job completes without it."""
    (folder / "generation_log.json").mkdir()
    fake_app.tm.configure(provider="local")
    assert fake_app.tm.text_to_video(prompt="a fox").status == "completed"


def test_unload_frees_only_what_keeps_models(fake_app: FakeApp) -> None:
    """A provider with the base's ``unload`` is asked, the others are left alone."""
    asked = []

    class Keeps(type(fake_app.local), ProviderBase):  # type: ignore[misc]
        def unload(self) -> None:
            asked.append(self.name)

    keeper = Keeps(Path("spool"), name="local", blocking=True)
    with fake_app.tm.override(providers={"local": keeper, "modal": fake_app.modal}) as tm:
        tm.unload()
    assert asked == ["local"]
