"""What a run would take: what cannot work is refused before it costs anything, and what would."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import AuthenticationError, ConfigurationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.media import MediaKind
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.ports.preflight import (
    PlanNeed,
    RunConditions,
    RunDevice,
    RunTime,
    TokenState,
    WeightsOnDisk,
)
from tiomagic_domain.ports.provider import RunDescription
from tiomagic_domain.ports.rehearsal import CheckOutcome
from tiomagic_domain.preflight.judgement import choose_plan, find_verdict, judge
from tiomagic_domain.preflight.measured_time import estimate_from_jobs, predict_run
from tiomagic_domain.preflight.preflight import AlternativeKind
from tiomagic_domain.quantities import describe_rough_bytes, describe_rough_duration
from tiomagic_domain.testing import make_job

GIB = 2**30
HOUR, DAY = 3600, 86400
LARGE = models()["wan2.1-vace-14b"]
DOODLE = models()["doodle"]
CPU = RunDevice(name="cpu", is_cpu=True)
GPU = RunDevice(name="cuda:0", title="NVIDIA GeForce RTX 4090", memory_gib=24.0, free_gib=23.0)
PLANS = (
    PlanNeed(plan="resident", device_gib=48.0, main_gib=30.0),
    PlanNeed(plan="model_offload", device_gib=36.0, main_gib=43.0),
    PlanNeed(plan="group_offload", device_gib=10.0, main_gib=43.0),
)
ON_CPU = (PlanNeed(plan="resident", device_gib=87.0, main_gib=87.0),)


def weights(fetch_gib: float, free_gib: float, *, exact: bool = True) -> WeightsOnDisk:
    return WeightsOnDisk(
        total_bytes=round(fetch_gib * GIB),
        here_bytes=0,
        place="/cache",
        disk_free_bytes=round(free_gib * GIB),
        is_exact=exact,
    )


def found(conditions: RunConditions, *, card=LARGE, time=None) -> tuple[dict[str, str], str]:
    """Return the outcome of each check by its part, and the verdict."""
    checks = judge(card, conditions, time)
    outcomes = {check.part: check.outcome.value for check in checks}
    return outcomes, find_verdict(card, conditions, time, checks).value


def test_nothing_known_speaks_against_nothing() -> None:
    """A provider that says nothing is not refused, and nobody claims that it fits."""
    assert found(RunConditions()) == ({}, "unknown")


@pytest.mark.parametrize(
    ("memory", "free", "plan", "outcome", "verdict"),
    [
        (80.0, 79.0, "resident", "ok", "fits"),
        (48.0, 40.0, "model_offload", "ok", "fits"),
        (24.0, 23.0, "group_offload", "ok", "fits"),
        (24.0, 8.0, "group_offload", "warning", "fits"),
        (8.0, 8.0, None, "problem", "no"),
        (None, None, "group_offload", None, "fits"),
    ],
)
def test_a_gpu_takes_the_fastest_plan_that_it_has_room_for(
    memory, free, plan, outcome, verdict
) -> None:
    """By what is free now, else by all it has; below every plan the run is refused."""
    device = replace(GPU, memory_gib=memory, free_gib=free)
    conditions = RunConditions(device=device, plans=PLANS, is_certain=True)
    chosen = choose_plan(conditions)
    assert (chosen and chosen.plan) == plan
    outcomes, said = found(conditions)
    assert (outcomes.get("device"), said) == (outcome, verdict)


def test_what_is_not_certain_is_a_warning() -> None:
    """Weights that the user chose may be smaller than the card says."""
    small = replace(GPU, memory_gib=8.0, free_gib=8.0)
    assert found(RunConditions(device=small, plans=PLANS))[0] == {"device": "warning"}
    on_cpu = RunConditions(device=CPU, plans=ON_CPU, main_memory_gib=24.0)
    outcomes, _ = found(on_cpu, time=RunTime(seconds=9 * DAY, basis="a guess"))
    assert outcomes == {"time": "warning", "memory": "warning"}


@pytest.mark.parametrize(
    ("seconds", "outcome", "verdict"),
    [(30 * DAY, "problem", "no"), (3 * HOUR, "warning", "slow"), (60, None, "fits")],
)
def test_a_cpu_is_judged_by_the_time(seconds, outcome, verdict) -> None:
    """Days are refused, hours are slow, and a tiny model on a CPU is nothing to speak of."""
    conditions = RunConditions(device=CPU, plans=ON_CPU, is_certain=True, main_memory_gib=256.0)
    outcomes, said = found(conditions, time=RunTime(seconds=seconds, basis="a guess"))
    assert (outcomes.get("time"), said) == (outcome, verdict)


def test_a_model_for_any_machine_is_not_slow_on_a_cpu() -> None:
    """Its card says that it needs no GPU."""
    plans = (PlanNeed(plan="resident", device_gib=0.1, main_gib=0.1),)
    conditions = RunConditions(device=CPU, plans=plans, main_memory_gib=2.0, is_certain=True)
    assert found(conditions, card=DOODLE) == ({}, "fits")


def test_main_memory_that_is_less_than_the_weights() -> None:
    """A CPU cannot do with less; beside a GPU a little less may do, and a half does not."""
    on_cpu = RunConditions(device=CPU, plans=ON_CPU, main_memory_gib=24.0, is_certain=True)
    assert found(on_cpu, time=RunTime(seconds=60, basis=""))[0] == {"memory": "problem"}
    for main, outcome, verdict in ((24.0, "problem", "no"), (32.0, "warning", "slow")):
        on_gpu = RunConditions(device=GPU, plans=PLANS, main_memory_gib=main, is_certain=True)
        outcomes, said = found(on_gpu)
        assert (outcomes["memory"], said) == (outcome, verdict)


@pytest.mark.parametrize(
    ("free", "exact", "outcome"),
    [(100, True, "ok"), (46, True, "warning"), (10, True, "problem"), (10, False, "warning")],
)
def test_the_disk(free, exact, outcome) -> None:
    """What does not fit is refused where its size is known, and little room left is told."""
    outcomes, _ = found(RunConditions(weights=weights(45, free, exact=exact)))
    assert outcomes == {"disk": outcome}


def test_weights_that_a_run_makes_need_room_too() -> None:
    """Beside what is downloaded, or alone where the full weights are here."""
    fetched = replace(weights(20, 30), made_bytes=12 * GIB)
    assert found(RunConditions(weights=fetched))[0] == {"disk": "problem"}
    assert found(RunConditions(weights=replace(fetched, made_bytes=2 * GIB)))[0] == {"disk": "ok"}
    here = replace(fetched, here_bytes=fetched.total_bytes)
    assert found(RunConditions(weights=here))[0] == {"disk": "ok"}
    full = judge(LARGE, RunConditions(weights=replace(here, disk_free_bytes=GIB)), None)
    assert [check.outcome for check in full] == [CheckOutcome.PROBLEM]
    assert "12 GiB in fewer bits are made from them" in full[0].message


def test_a_token_that_is_not_there() -> None:
    """It stops the run, and says nothing about whether the model fits."""
    token = TokenState(service="Acme", is_needed=True, is_there=False, why="Ask Acme")
    conditions = RunConditions(device=GPU, plans=PLANS, is_certain=True, tokens=(token,))
    outcomes, verdict = found(conditions)
    assert (outcomes["token"], verdict) == ("problem", "fits")


def finished(seconds, **arguments):
    sized = {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 50}
    facts = {"device": "cuda:0 (NVIDIA GeForce RTX 4090)", "seconds": seconds}
    job = make_job(model=LARGE.name, optional_args=sized | arguments, facts=facts)
    return replace(job, status=JobStatus.COMPLETED)


ASKED = {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 50}


def test_the_time_of_the_same_size_is_the_middle_of_the_measured_ones() -> None:
    """Without downloads and waiting, which the next run does not repeat."""
    jobs = [
        finished({"downloading": 9999.0, "loading": 10.0, "denoising": spent})
        for spent in (90.0, 100.0, 500.0)
    ]
    time = estimate_from_jobs(jobs, ASKED, GPU)
    assert time is not None
    assert (time.seconds, time.is_measured) == (110.0, True)
    assert "3 runs of this size" in time.basis


def test_the_time_of_another_size_is_scaled() -> None:
    """By pixels, frames and steps: half the steps take half the time."""
    time = estimate_from_jobs([finished({"denoising": 100.0}, num_inference_steps=25)], ASKED, GPU)
    assert time is not None
    assert time.seconds == pytest.approx(200.0)
    assert "scaled" in time.basis


def test_runs_of_another_kind_of_device_say_nothing() -> None:
    """A CPU's hours are not a GPU's minutes, and the other way round."""
    jobs = [finished({"denoising": 100.0})]
    assert estimate_from_jobs(jobs, ASKED, CPU) is None
    assert estimate_from_jobs(jobs, ASKED, replace(GPU, title="NVIDIA H100")) is None
    assert estimate_from_jobs([], ASKED, GPU) is None


def test_a_run_without_phases_counts_from_start_to_end() -> None:
    """A provider need not tell its phases."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    job = replace(finished({}), facts={}, started_at=began, ended_at=began + timedelta(seconds=42))
    time = estimate_from_jobs([job], ASKED, GPU)
    assert time is not None
    assert time.seconds == 42.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (40, "40 seconds"),
        (600, "10 minutes"),
        (5 * HOUR, "5 hours"),
        (3 * DAY, "3 days"),
        (23 * DAY, "3 weeks"),
        (900 * DAY, "2 years"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, words) -> None:
    """One number and one unit."""
    assert describe_rough_duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(18_312_397, "17 MiB"), (3.2 * GIB, "3.2 GiB"), (43.4 * GIB, "43 GiB"), (0, "0 MiB")],
)
def test_sizes_are_said_as_people_say_them(count, words) -> None:
    """A tenth of a gibibyte is the smallest that is said in gibibytes."""
    assert describe_rough_bytes(count) == words


IMPOSSIBLE = RunConditions(
    device=CPU,
    plans=ON_CPU,
    main_memory_gib=24.0,
    weights=weights(43.4, 66, exact=False),
    is_certain=True,
    time=RunTime(seconds=30 * DAY, basis="a guess"),
    place="this machine",
)


def submit(parts, **more):
    call = {"model": LARGE.name, "arguments": {"prompt": "a fox"}} | more
    return parts.generation.submit(Feature.TEXT_TO_VIDEO, provider="local", **call)


def test_what_cannot_work_is_refused_before_it_is_stored(parts) -> None:
    """With the reason, the download that it would begin with, and what would work."""
    parts.blocking.conditions = IMPOSSIBLE
    with pytest.raises(ConfigurationError) as caught:
        submit(parts)
    error = caught.value
    assert error.code == "does_not_fit"
    for words in (
        "wan2.1-vace-14b cannot run on this machine",
        "no GPU",
        "about 4 weeks",
        "87 GiB of main memory",
        "it would be about 43 GiB",
        "run it on modal",
        "run it all the same",
    ):
        assert words in error.message
    assert parts.generation.list(JobQuery()) == []
    assert parts.blocking.submitted == []
    assert error.details["preflight"]["fit"] == "no"
    assert {"kind": "provider", "name": "modal", "note": ""} in error.details["preflight"][
        "alternatives"
    ]


def test_force_runs_it_all_the_same(parts) -> None:
    """Who knows better is not held up."""
    parts.blocking.conditions = IMPOSSIBLE
    assert submit(parts, force=True).status is JobStatus.COMPLETED


def test_a_measured_run_knows_better_than_an_estimate(parts) -> None:
    """A run that has taken minutes here is not refused for days that somebody computed."""
    parts.blocking.conditions = replace(IMPOSSIBLE, main_memory_gib=256.0)
    with pytest.raises(ConfigurationError):
        submit(parts)
    first = submit(parts, force=True)
    assert first.status is JobStatus.COMPLETED
    assert submit(parts).status is JobStatus.COMPLETED


def test_true_sizes_that_are_known_only_later_are_judged_as_well(parts, monkeypatch) -> None:
    """The hub's list says more than the card: the files do not fit on the disk after all."""
    about = RunConditions(device=GPU, plans=PLANS, weights=weights(43, 66, exact=False))
    parts.blocking.conditions = about

    def ask_ahead(request):
        parts.blocking.conditions = replace(about, weights=weights(80, 66))

    monkeypatch.setattr(parts.blocking, "ask_ahead", ask_ahead)
    with pytest.raises(ConfigurationError, match="80 GiB of weights are to be downloaded"):
        submit(parts)
    assert parts.blocking.submitted == []


def test_a_broken_preflight_stops_no_run(parts, monkeypatch) -> None:
    """A provider that cannot look ahead is one that says nothing."""

    def fail(card, settings):
        raise RuntimeError("no such sensor")

    monkeypatch.setattr(parts.blocking, "preflight", fail)
    assert submit(parts).status is JobStatus.COMPLETED


def test_a_plan_needs_no_token_and_names_the_price(parts, monkeypatch) -> None:
    """What stops the run stands in its plan; the plan itself costs nothing and stores nothing."""
    parts.remote.rejection = AuthenticationError("there is no token")
    monkeypatch.setattr(
        parts.remote, "describe", lambda request: RunDescription(cost=Cost(amount=0.5))
    )
    request, plan = parts.generation.look_ahead(
        Feature.TEXT_TO_VIDEO, provider="modal", model=None, arguments={"prompt": "a fox"}
    )
    assert request.card.name == "wan2.1-vace-14b"
    assert [check.message for check in plan.problems] == ["there is no token"]
    assert not plan.can_run
    assert plan.cost == Cost(amount=0.5)
    assert plan.to_dict()["licence"]["use"] == "free"
    assert parts.generation.list(JobQuery()) == []


def test_a_smaller_model_is_named_only_if_it_fits(parts) -> None:
    """The largest of those that do; here the fake says the same of every model, so none does."""
    parts.blocking.conditions = IMPOSSIBLE
    with pytest.raises(ConfigurationError) as caught:
        submit(parts)
    kinds = {way["kind"] for way in caught.value.details["preflight"]["alternatives"]}
    assert "model" not in kinds

    def by_size(card, settings):
        return IMPOSSIBLE if card.weights_gib > 20 else RunConditions(device=GPU, plans=PLANS)

    parts.blocking.preflight = by_size
    with pytest.raises(ConfigurationError, match=r"use the model cogvideox-5b\n"):
        submit(parts)


def test_a_model_that_refuses_an_input_is_no_way_out(parts) -> None:
    """What replaces a person in a video is not taken by a model that has no place for one."""
    for name in ("dance.mp4", "mask.mp4"):
        parts.media.add(name, MediaKind.VIDEO)
    parts.media.add("hero.png")
    parts.blocking.preflight = lambda card, settings: (
        RunConditions(device=GPU, plans=PLANS) if card.name != "wan2.2-animate-14b" else IMPOSSIBLE
    )
    given = {"prompt": "a robot", "image": "hero.png", "guiding_video": "dance.mp4"}
    kept = {"background_video": "dance.mp4", "mask_video": "mask.mp4"}

    def named(arguments) -> list[str]:
        _, found = parts.generation.look_ahead(
            Feature.POSE_GUIDANCE,
            provider="local",
            model="wan2.2-animate-14b",
            arguments=arguments,
        )
        return [way.name for way in found.alternatives if way.kind is AlternativeKind.MODEL]

    assert len(named(given)) == 1
    assert named(given | kept) == []


def test_every_outcome_is_plain_data() -> None:
    """A check is one of the words that a rehearsal has as well."""
    assert {check.outcome for check in judge(LARGE, IMPOSSIBLE, IMPOSSIBLE.time)} <= set(
        CheckOutcome
    )


def test_runs_of_other_sizes_are_scaled_by_their_operations_where_these_are_known() -> None:
    """Attention grows with the square: twice the frames are more than twice the work."""
    job = finished({"denoising": 100.0}, num_frames=41)
    time = estimate_from_jobs([job], ASKED, GPU, lambda settings: settings["num_frames"] ** 2)
    assert time is not None
    assert time.seconds == pytest.approx(100 * (81 / 41) ** 2)
    unknown = estimate_from_jobs([job], ASKED, GPU, lambda _settings: None)
    assert unknown is not None
    assert unknown.seconds == pytest.approx(100 * 81 / 41)


def test_the_nearest_runs_are_scaled_and_not_all() -> None:
    """What is not proportional to the work counts least there."""
    near = [finished({"denoising": 100.0}, num_inference_steps=45) for _ in range(5)]
    far = [finished({"denoising": 90.0}, num_inference_steps=1) for _ in range(9)]
    time = estimate_from_jobs([*far, *near], ASKED, GPU)
    assert time is not None
    assert time.seconds == pytest.approx(100 * 50 / 45)


def test_a_faster_way_of_the_same_size_is_another_run() -> None:
    """An accelerated run says nothing of an exact one while there is an exact one of any size."""
    quick = finished({"denoising": 20.0}, acceleration="fast")
    exact = finished({"denoising": 50.0}, num_inference_steps=25)
    time = estimate_from_jobs([quick, exact], ASKED, GPU)
    assert time is not None
    assert time.seconds == pytest.approx(100)
    fast = estimate_from_jobs([quick, exact], {**ASKED, "acceleration": "fast"}, GPU)
    assert fast is not None
    assert fast.seconds == pytest.approx(20)


def test_a_guided_run_calls_its_model_twice_a_step() -> None:
    """It is not the same run without guidance."""
    guided = finished({"denoising": 100.0}, guidance_scale=5.0)
    time = estimate_from_jobs([guided], {**ASKED, "guidance_scale": 1.0}, GPU)
    assert time is not None
    assert "other sizes" in time.basis


def test_the_spread_of_many_runs_is_their_own() -> None:
    """Of few ones it is a factor."""
    runs = [finished({"denoising": 100.0 + number}) for number in range(11)]
    many = predict_run(runs, ASKED, GPU)
    assert many is not None
    assert (many.low, many.generating, many.high) == (101.0, 105.0, 109.0)
    few = predict_run(runs[:1], ASKED, GPU)
    assert few is not None
    assert (few.low, few.high) == (80.0, 125.0)
