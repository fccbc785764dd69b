"""Small parts: progress, reports, the observer, the updater, recipes, media, preparation."""

import itertools
import json
from pathlib import Path

import pytest
from tests.domain.counting import CountingRepository

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import (
    GenerationCanceledError,
    ProcessingError,
    StaleJobError,
    ValidationError,
)
from tiomagic_domain.features import (
    Feature,
    ImageToVideoInputs,
    InterpolateInputs,
    MotionInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.jobs.recipe import build_recipe, read_recipe
from tiomagic_domain.lifecycle.apply_report import apply_report, ask_to_stop
from tiomagic_domain.lifecycle.job_updater import JobUpdater, ignore_trouble
from tiomagic_domain.lifecycle.observer import JobObserver
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports import Cost, Report
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import (
    NOON,
    FakeClock,
    FakeMediaReader,
    FakeOutputStore,
    MemoryJobRepository,
    make_job,
)

VACE = find_model("wan2.1-vace-14b")
NO_OUTPUTS = FakeOutputStore(Path("unused"))


# ── Progress ────────────────────────────────────────────────────────────────────────────────────


def test_a_moment_survives_plain_data():
    """A moment comes back from its dict, and a dict without steps is a moment without steps."""
    moment = Progress(phase=Phase.DENOISING, step=3, steps=30)
    assert Progress.from_dict(json.loads(json.dumps(moment.to_dict()))) == moment
    assert Progress.from_dict({"phase": "loading", "step": None, "steps": "x"}) == Progress(
        phase=Phase.LOADING
    )
    with pytest.raises(ValueError, match="dreaming"):
        Progress.from_dict({"phase": "dreaming"})


def test_a_moment_is_told():
    """Steps are told where there are any, and the fraction where it is known."""
    assert str(Progress(phase=Phase.DENOISING, step=3, steps=30)) == "denoising 3/30"
    assert Progress(phase=Phase.DENOISING, step=3, steps=30).fraction == 0.1
    assert str(Progress(phase=Phase.LOADING)) == "loading"
    assert Progress(phase=Phase.LOADING).fraction is None


def test_the_idle_ends_of_the_wires_do_nothing():
    """Defaults for those who do not care take anything."""
    assert NeverCanceled().raise_if_canceled() is None
    assert ignore_progress(Progress(phase=Phase.LOADING)) is None
    assert ignore_trouble(ProcessingError("x")) is None


# ── Reports ─────────────────────────────────────────────────────────────────────────────────────


def in_status(word, **fields):
    return make_job(status=JobStatus(word), **fields)


@pytest.mark.parametrize("end", ["completed", "failed", "canceled"])
@pytest.mark.parametrize("said", list(JobStatus))
def test_a_job_that_is_over_hears_nothing(end, said):
    """Whatever is said later, the end stays the end."""
    assert apply_report(in_status(end), Report(status=said, message="news"), at=NOON) is None


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("running", "queued"),
        ("canceling", "running"),
        ("canceling", "queued"),
        ("queued", "queued"),
    ],
)
def test_a_step_back_keeps_the_status_and_the_rest(now, said):
    """A word that would move a job back leaves its status and keeps what else it says."""
    job = apply_report(in_status(now), Report(status=JobStatus(said), message="news"), at=NOON)
    assert (job.status, job.message) == (now, "news")


@pytest.mark.parametrize(
    ("now", "code", "end"),
    [
        ("canceling", "lost", "canceled"),
        ("canceling", "worker_lost", "canceled"),
        ("canceling", "out_of_memory", "failed"),
        ("running", "worker_lost", "failed"),
    ],
)
def test_a_run_that_was_to_stop_and_is_gone_is_canceled(now, code, end):
    """A lost run is a failure, unless somebody had asked for it to stop."""
    gone = Report(status=JobStatus.FAILED, error="no such run", error_code=code)
    job = apply_report(in_status(now), gone, at=NOON)
    assert (job.status, job.error is None) == (end, end == "canceled")


def test_no_news_is_no_change():
    """A word that says what is known changes nothing, and is not written."""
    job = in_status("running", call_id="c", message="busy", facts={"gpu": "L4"})
    same = Report(status=JobStatus.RUNNING, call_id="c", message="busy", facts={"gpu": "L4"})
    assert apply_report(job, same, at=NOON) is None


def test_facts_are_joined():
    """What is known of a run grows; what is said anew replaces."""
    job = in_status("running", facts={"gpu": "L4", "dtype": "bf16"})
    news = Report(status=JobStatus.RUNNING, facts={"gpu": "H100"})
    assert apply_report(job, news, at=NOON).facts == {"gpu": "H100", "dtype": "bf16"}


def test_what_a_queue_says_is_true_until_the_next_word():
    """Place and pause go with the next report; the cost stays, and says what the last one said."""
    waits = Report(status=JobStatus.QUEUED, queue_position=3, retry_after=30, facts={"gpu": "A1"})
    job = apply_report(make_job(facts={}), waits, at=NOON)
    assert job.facts == {"gpu": "A1", "queue_position": 3, "retry_after_s": 30}
    assert apply_report(job, waits, at=NOON) is None
    runs = Report(status=JobStatus.RUNNING, cost=Cost(amount=0.5))
    job = apply_report(job, runs, at=NOON)
    cost = {"amount": 0.5, "currency": "USD", "per": "run"}
    assert job.facts == {"gpu": "A1", "cost": cost}
    assert apply_report(job, Report(status=JobStatus.RUNNING), at=NOON) is None


def test_each_file_is_uploaded_once(preparation):
    """Two inputs with the same bytes have one address; the record has none."""
    arguments = {"prompt": "a", "first_frame": "owl.png", "last_frame": "owl.png"}
    request = preparation.prepare(Feature.INTERPOLATE, VACE, "far", arguments)
    sent = []

    def upload(file):
        sent.append(file.sha256)
        return f"https://acme.example/{file.sha256}"

    known = request.with_uploads(upload)
    (digest,) = sent
    address = f"https://acme.example/{digest}"
    assert known.urls == {"first_frame": address, "last_frame": address}
    assert address not in str(known.job.to_dict())


def test_a_stop_is_asked_for_once():
    """A job that goes on becomes canceling; one that is over or asked stays."""
    assert ask_to_stop(in_status("queued"), at=NOON).status == "canceling"
    assert ask_to_stop(in_status("canceling"), at=NOON) is None
    assert ask_to_stop(in_status("failed"), at=NOON) is None


# ── The observer ────────────────────────────────────────────────────────────────────────────────


class ObservedJob:
    """A stored running job, an observer of it, and what it told."""

    def __init__(self):
        self.repository, self.clock = MemoryJobRepository(), FakeClock()
        self.told, self.troubles, self.changes = [], [], []
        self.job = make_job(status=JobStatus.RUNNING)
        self.repository.add(self.job)
        self.observer = JobObserver(
            self.job,
            updater=JobUpdater(self.repository, NO_OUTPUTS, self.clock, self.changes.append),
            repository=self.repository,
            clock=self.clock,
            on_progress=self.told.append,
            on_trouble=self.troubles.append,
        )

    def step(self, step, phase=Phase.DENOISING):
        progress = Progress(phase=phase, step=step, steps=99)
        self.observer.report(Report(status=JobStatus.RUNNING, progress=progress))

    @property
    def stored(self):
        return self.repository.get(self.job.job_id)


@pytest.fixture
def observed():
    return ObservedJob()


def test_steps_are_stored_once_a_second_and_all_are_told(observed):
    """Fifty steps in five seconds are fifty moments for the caller and six writes."""
    for step in range(50):
        observed.step(step)
        observed.clock.advance(0.1)
    assert [moment.step for moment in observed.told] == list(range(50))
    assert observed.stored.version - 1 in {5, 6}  # Ten times 0.1 is a little less than 1.


def test_a_new_phase_is_stored_at_once_and_told_as_a_change(observed):
    """A person sees each phase, however short; steps within one are quiet."""
    for phase in (Phase.LOADING, Phase.ENCODING, Phase.DENOISING):
        observed.step(0, phase)
        observed.step(1, phase)
    observed.clock.advance(1)
    observed.step(2)
    assert [job.progress.phase for job in observed.changes] == ["loading", "encoding", "denoising"]
    assert observed.stored.progress.step == 2


def test_a_word_without_progress_is_stored(observed):
    """A message is stored at once, also in the middle of a phase."""
    observed.step(0)
    observed.observer.report(Report(status=JobStatus.RUNNING, message="preempted"))
    assert observed.stored.message == "preempted"
    assert observed.stored.progress.step == 0


def test_a_moment_that_cannot_be_stored_costs_the_run_nothing(observed):
    """Trouble with the disk is told, and the run goes on."""

    def refuse(*_):
        raise ProcessingError("disk full")

    observed.repository.save = refuse
    observed.step(0)
    observed.repository.get = refuse
    observed.observer.raise_if_canceled()
    assert [error.message for error in observed.troubles] == ["disk full"] * 2


@pytest.mark.parametrize("word", ["canceling", "canceled"])
def test_the_call_to_stop_is_heard_within_half_a_second(observed, word):
    """A look costs a read, so it is taken twice a second, and then the run ends."""
    observed.observer.raise_if_canceled()
    observed.repository.save(observed.job.to(JobStatus(word), at=NOON))
    observed.clock.advance(0.25)
    observed.observer.raise_if_canceled()
    observed.clock.advance(0.25)
    with pytest.raises(GenerationCanceledError):
        observed.observer.raise_if_canceled()


# ── The updater ──────────────────────────────────────────────────────────────────────────────────


def test_an_updater_that_is_overtaken_tries_again():
    """A change is made to the newest state, and nobody's change is lost."""
    repository, seen = CountingRepository(), []
    updater = JobUpdater(repository, NO_OUTPUTS, FakeClock())
    job = make_job(facts={"count": 0})
    updater.add(job)

    def count_up(job, at):
        seen.append(job.version)
        if len(seen) < 3:  # Somebody else is faster, twice.
            repository.save(
                repository.get(job.job_id).with_changes(at=at, message=f"other {len(seen)}")
            )
        return job.with_changes(at=at, facts={"count": job.facts["count"] + 1})

    saved = updater.update(job, count_up)
    assert (seen, saved.version, saved.facts, saved.message) == (
        [1, 2, 3],
        4,
        {"count": 1},
        "other 2",
    )
    with pytest.raises(StaleJobError):
        repository.save(job)


def test_a_job_is_read_again_only_when_another_writer_was_faster():
    """A change costs one write; a race costs one read and one more write."""
    repository, job = CountingRepository(), make_job(status=JobStatus.RUNNING)
    updater = JobUpdater(repository, NO_OUTPUTS, FakeClock())
    updater.add(job)
    repository.calls.clear()
    first = updater.apply(job, Report(status=JobStatus.RUNNING, message="loading"))
    assert repository.calls == {"save": 1}
    second = updater.apply(job, Report(status=JobStatus.RUNNING, facts={"gpu": "L4"}))
    assert repository.calls == {"save": 3, "get": 1}
    assert (first.message, second.message, second.facts) == ("loading", "loading", {"gpu": "L4"})
    assert updater.apply(second, Report(status=JobStatus.RUNNING, message="loading")) == second
    assert repository.calls == {"save": 3, "get": 1}


@pytest.mark.parametrize(
    ("report", "is_told"),
    [
        ({"progress": Progress(phase=Phase.DENOISING, step=2, steps=9)}, False),
        (
            {
                "progress": Progress(phase=Phase.DENOISING, step=2, steps=9),
                "message": "denoising 2/9",
            },
            False,
        ),
        (
            {"progress": Progress(phase=Phase.DENOISING, step=2, steps=9), "message": "preempted"},
            True,
        ),
        (
            {"progress": Progress(phase=Phase.DENOISING, step=2, steps=9), "facts": {"gpu": "L4"}},
            True,
        ),
        ({"progress": Progress(phase=Phase.DECODING)}, True),
        ({"message": "preempted"}, True),
    ],
)
def test_a_step_within_a_phase_is_stored_and_not_told(report, is_told):
    """Every change but such a step is told, wherever the report comes from."""
    repository, told = MemoryJobRepository(), []
    updater = JobUpdater(repository, NO_OUTPUTS, FakeClock(), told.append)
    first = Progress(phase=Phase.DENOISING, step=1, steps=9)
    job = make_job(status=JobStatus.RUNNING, progress=first, message="denoising 1/9")
    repository.add(job)
    saved = updater.apply(job, Report(status=JobStatus.RUNNING, **report))
    assert repository.get(job.job_id) == saved
    assert saved.version == 2
    assert told == ([saved] if is_told else [])


# ── Recipes ─────────────────────────────────────────────────────────────────────────────────────


def test_a_recipe_survives_plain_data_and_tells_nothing_private():
    """A recipe comes back from JSON, with the versions, and without a path of this machine."""
    job = make_job(result_video="/home/somebody/video.mp4")
    recipe = build_recipe(job, versions={"torch": "2.13"}, facts={"device": "cpu"})
    text = json.dumps(recipe)
    assert read_recipe(json.loads(text)) == recipe
    assert set(recipe["versions"]) == {"tiomagic", "torch"}
    assert "/home" not in text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "not_a_recipe"),
        ([], "not_a_recipe"),
        ({}, "not_a_recipe"),
        ({"tiomagic_recipe": 2}, "recipe_format"),
        ({"tiomagic_recipe": "1"}, "recipe_format"),
        ({"tiomagic_recipe": 1}, "not_a_recipe"),
        ({"tiomagic_recipe": 1, "feature": "interpolate", "model": "m"}, "not_a_recipe"),
    ],
)
def test_what_is_no_recipe_is_refused(data, code):
    """Something else, a newer format and a recipe with holes are told apart."""
    with pytest.raises(ValidationError) as caught:
        read_recipe(data)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["feature", "model", "provider", "required_args"])
def test_a_hole_in_a_recipe_is_named(name):
    """What a rerun needs and does not find is named, also when it is of the wrong kind."""
    recipe = build_recipe(make_job(), versions={}, facts={})
    with pytest.raises(ValidationError, match=name):
        read_recipe({**recipe, name: 7})


# ── Preparation ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def media(tmp_path):
    reader = FakeMediaReader(tmp_path)
    reader.add("fox.png", width=800, height=600)
    reader.add("owl.png")
    reader.add("walk.mp4", MediaKind.VIDEO)
    return reader


@pytest.fixture
def preparation(media):
    ids = (f"id-{number}" for number in itertools.count())
    return Preparation(media, FakeClock(), job_ids=lambda: next(ids), seeds=lambda: 42)


@pytest.mark.parametrize(
    ("feature", "arguments", "inputs"),
    [
        (Feature.TEXT_TO_VIDEO, {}, TextToVideoInputs),
        (Feature.IMAGE_TO_VIDEO, {"image": "fox.png"}, ImageToVideoInputs),
        (
            Feature.INTERPOLATE,
            {"first_frame": "fox.png", "last_frame": "owl.png"},
            InterpolateInputs,
        ),
        (Feature.POSE_GUIDANCE, {"image": "fox.png", "pose_video": "walk.mp4"}, PoseGuidanceInputs),
    ],
)
def test_a_request_has_typed_inputs_and_a_plain_record(
    preparation, media, feature, arguments, inputs
):
    """The engine gets files, the record gets hashes, and a stored job gives the same request."""
    request = preparation.prepare(feature, VACE, "local", {"prompt": "a fox", **arguments})
    assert type(request.inputs) is inputs
    assert request.inputs.prompt == "a fox"
    assert set(request.media) == set(arguments)
    assert request.settings["seed"] == 42
    assert set(request.settings).isdisjoint({"prompt", *arguments})
    assert request.job.job_id == "id-0"
    json.dumps(request.job.to_dict())
    restored = preparation.restore(request.job, VACE)
    assert restored == request


@pytest.mark.parametrize(
    ("arguments", "inputs", "aspect"),
    [
        ({"pose_video": "walk.mp4"}, MotionInputs, 832 / 480),
        ({"guiding_video": "walk.mp4"}, MotionInputs, 832 / 480),
        ({"pose_video": "walk.mp4", "image": "fox.png"}, PoseGuidanceInputs, 800 / 600),
    ],
)
def test_a_motion_alone_is_enough_for_a_model_that_reads_no_picture(
    preparation, arguments, inputs, aspect
):
    """The shape of the video is the motion's then; with a picture, as everywhere, the picture's."""
    card = find_model("cogvideox-fun-5b-pose")
    call = {"prompt": "a fox", **arguments}
    request = preparation.prepare(Feature.POSE_GUIDANCE, card, "local", call)
    assert type(request.inputs) is inputs
    size = request.settings["width"], request.settings["height"]
    assert size[0] / size[1] == pytest.approx(aspect, rel=0.03)
    assert size[0] * size[1] <= card.pixels
    assert preparation.restore(request.job, card) == request


def test_every_broken_input_is_named(preparation):
    """Two pictures that cannot be read are two problems of one error."""
    arguments = {"prompt": "a", "first_frame": "gone.png", "last_frame": "walk.mp4"}
    with pytest.raises(ValidationError) as caught:
        preparation.prepare(Feature.INTERPOLATE, VACE, "local", arguments)
    assert [problem.field for problem in caught.value.problems] == ["first_frame", "last_frame"]


def test_ids_and_seeds_are_drawn(media):
    """Two calls have two ids and, left open, two seeds of 32 bits."""
    preparation = Preparation(media, FakeClock())
    first, second = (
        preparation.prepare(Feature.TEXT_TO_VIDEO, VACE, "local", {"prompt": "a"}).job
        for _ in range(2)
    )
    assert first.job_id != second.job_id
    assert first.optional_args["seed"] != second.optional_args["seed"]
    assert 0 <= first.optional_args["seed"] < 2**32


def test_a_clip_of_a_named_file_is_recorded_by_hash_and_name(media):
    """A record finds the bytes again and shows a name, never a folder."""
    reference = media.add("/home/somebody/fox.png").to_reference()
    assert reference["name"] == "fox.png"
    assert "/home" not in json.dumps(reference)
    assert media.find(reference).read_bytes()
