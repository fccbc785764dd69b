"""The use cases, with every kind of trouble that providers and disks make."""

import threading

import pytest

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    GenerationCanceledError,
    GenerationError,
    JobTimeoutError,
    ProcessingError,
    ResourceNotFoundError,
    UnknownModelError,
    UnknownProviderError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.lifecycle.outcome import hash_of
from tiomagic_domain.media import MediaKind
from tiomagic_domain.testing import make_job
from tiomagic_domain.testing.outputs import make_video

TEXT = Feature.TEXT_TO_VIDEO


def submit(house, provider="modal", **fields):
    call = {"model": None, "arguments": {"prompt": "a fox"}} | fields
    return house.generation.submit(TEXT, provider=provider, **call)


def finish(house, job):
    """Check until the video is there."""
    while not job.status.is_terminal:
        job = house.generation.check(job.job_id)
    return job


def test_a_remote_job_is_followed_to_its_video(house):
    """Queued, running, completed: each check stores the next word, the last brings the video."""
    job = submit(house)
    assert (job.status, job.call_id, job.model) == ("queued", "call-1", "wan2.1-vace-14b")
    assert house.generation.check(job.job_id).status == "running"
    done = house.generation.check(job.job_id)
    assert done.status == "completed"
    assert done == house.stored(job.job_id)
    assert house.outputs.saved[job.job_id].read_bytes().startswith(b"a video")
    assert done.result_video == str(house.outputs.saved[job.job_id])


def test_a_blocking_job_comes_back_finished(house):
    """A blocking provider returns the video, having told each step."""
    told = []
    job = submit(house, "local", on_progress=told.append)
    assert job.status == "completed"
    assert [moment.step for moment in told] == [0, 1, 2, 3]


def test_the_job_is_stored_before_the_provider_is_called(house):
    """When the run begins, any process can already find the job."""
    seen = []
    house.blocking.during = lambda step: seen.extend(house.generation.list(JobQuery()))
    job = submit(house, "local")
    assert seen[0].job_id == job.job_id
    assert seen[0].status == "queued"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"provider": "modl"}, UnknownProviderError),
        ({"model": "wan2.1-vace-14"}, UnknownModelError),
        ({"model": "wan2.1-i2v-14b-720p"}, UnknownModelError),
        ({"arguments": {}}, ValidationError),
        ({"arguments": {"prompt": "a", "num_frames": 80}}, ValidationError),
    ],
)
def test_bad_input_stores_and_sends_nothing(house, fields, error):
    """What is wrong with a call is found before a job exists."""
    with pytest.raises(error):
        submit(house, **fields)
    assert house.repository.jobs == {}
    assert house.remote.submitted == []


def test_an_unknown_provider_is_told_the_known_ones(house):
    """The message proposes a name and lists all."""
    with pytest.raises(UnknownProviderError, match=r"Did you mean 'modal'\? .*'local', 'modal'"):
        submit(house, "modl")


def test_what_the_provider_refuses_beforehand_is_not_stored(house):
    """A missing token is found by the check, and there is no job of it."""
    house.remote.rejection = AuthenticationError("no token")
    with pytest.raises(AuthenticationError):
        submit(house)
    assert house.repository.jobs == {}
    assert house.remote.submitted == []


def test_a_submission_that_did_not_start_is_raised_and_stored_as_failed(house):
    """No job looks fine that is not: the error names it, and it says why it failed."""
    house.remote.unreachable = True
    with pytest.raises(APIError) as caught:
        submit(house)
    job = house.stored(caught.value.details["job_id"])
    assert (job.status, job.error, job.error_code) == (
        "failed",
        caught.value.message,
        "unreachable",
    )


def test_a_run_that_fails_on_the_way_is_raised_and_stored(house):
    """The engine's error reaches the caller, and the job keeps its text and code."""
    house.blocking.failure = GenerationError("not enough memory", code="out_of_memory")
    with pytest.raises(GenerationError) as caught:
        submit(house, "local")
    job = house.stored(caught.value.details["job_id"])
    assert (job.status, job.error, job.error_code) == (
        "failed",
        "not enough memory",
        "out_of_memory",
    )


def test_a_bug_in_a_provider_fails_the_job_too(house):
    """An error that nobody foresaw is stored with its class, and passed on as it is."""

    def break_down(step):
        raise ZeroDivisionError("by zero")

    house.blocking.during = break_down
    with pytest.raises(ZeroDivisionError):
        submit(house, "local")
    (job,) = house.generation.list(JobQuery())
    assert (job.status, job.error, job.error_code) == (
        "failed",
        "ZeroDivisionError: by zero",
        "unexpected",
    )


def test_the_cause_is_raised_even_when_it_cannot_be_stored(house):
    """A full disk must not hide why the job failed: it is told beside it."""

    class BrokenModelError(Exception):
        pass

    def break_down(step):
        house.repository.save = refuse
        raise BrokenModelError

    def refuse(job):
        raise ProcessingError("disk full")

    house.blocking.during = break_down
    with pytest.raises(BrokenModelError):
        submit(house, "local")
    assert [error.message for error in house.troubles] == ["disk full"]


def test_a_lost_answer_is_looked_up_and_never_sent_again(house):
    """The job stays queued, the next check finds the run by the job's id, and one run exists."""
    house.remote.loses_answers = True
    job = submit(house)
    assert (job.status, job.call_id) == ("queued", None)
    assert "lost" in job.message
    done = finish(house, job)
    assert (done.status, done.call_id) == ("completed", "call-1")
    assert len(house.remote.submitted) == 1


def test_a_lost_request_ends_as_failed(house):
    """When the look-up finds that nothing ever started, the job says so."""
    house.remote.loses_requests = True
    job = finish(house, submit(house))
    assert (job.status, job.error_code) == ("failed", "lost")


def test_a_network_that_is_down_leaves_the_job_alone(house):
    """A failed poll is noted and changes no status; the same note is not written twice."""
    job = submit(house)
    house.remote.unreachable = True
    seen = house.generation.check(job.job_id)
    assert (seen.status, seen.call_id) == (job.status, job.call_id)
    assert "cannot be reached" in seen.message
    assert house.generation.check(job.job_id).version == seen.version
    house.remote.unreachable = False
    assert finish(house, job).status == "completed"


def test_a_refused_poll_is_raised(house):
    """What waiting does not mend reaches the caller, and the job stays as it is."""
    job = submit(house)

    def refuse(job):
        raise APIError("the token was withdrawn")

    house.remote.poll = refuse
    with pytest.raises(APIError, match="withdrawn"):
        house.generation.check(job.job_id)
    assert house.stored(job.job_id) == job


def test_a_run_that_the_provider_lost_fails(house):
    """The provider's word that it knows no such run ends the job."""
    job = submit(house)
    house.remote.forget(job.job_id)
    ended = house.generation.check(job.job_id)
    assert (ended.status, ended.error_code) == ("failed", "lost")


def test_a_remote_failure_is_stored_with_its_reason(house):
    """A run that fails far away is no error of the check; the job has the reason."""
    job = submit(house)
    house.remote.failure = GenerationError("no memory", code="out_of_memory")
    ended = finish(house, job)
    assert (ended.status, ended.error, ended.error_code) == ("failed", "no memory", "out_of_memory")


def test_a_finished_job_is_not_asked_about(house):
    """After the end no check contacts the provider."""
    job = finish(house, submit(house))
    polls = len(house.remote.polled)
    assert house.generation.check(job.job_id) == job
    assert house.generation.cancel(job.job_id) == job
    assert (len(house.remote.polled), house.remote.canceled) == (polls, [])


def test_a_video_that_cannot_be_saved_can_be_fetched_again(house):
    """A full disk raises, the job goes on with a note, and the next check brings the video."""
    job = submit(house)
    house.generation.check(job.job_id)
    house.outputs.failure = ProcessingError("no space left")
    with pytest.raises(ProcessingError) as caught:
        house.generation.check(job.job_id)
    assert caught.value.details["job_id"] == job.job_id
    noted = house.stored(job.job_id)
    assert noted.status == "running"
    assert "no space left" in noted.message
    house.outputs.failure = None
    assert house.generation.check(job.job_id).status == "completed"


def test_a_blocking_video_that_cannot_be_saved_can_be_fetched_again(house):
    """The same holds for a run in this process: the work is not lost."""
    house.outputs.failure = ProcessingError("no space left")
    with pytest.raises(ProcessingError) as caught:
        submit(house, "local")
    house.outputs.failure = None
    job = house.generation.check(caught.value.details["job_id"])
    assert job.status == "completed"
    assert len(house.blocking.runs) == 1


def test_a_video_that_was_saved_before_its_process_died_counts(house, tmp_path):
    """Dead between saving and telling: the next look finds the video, and asks no provider."""
    job = submit(house)
    video = make_video(tmp_path / "spool")
    video.recipe["facts"] = {"device": "cpu"}
    path = house.outputs.save(job, video)
    done = house.generation.check(job.job_id)
    assert (done.status, done.result_video) == ("completed", str(path))
    assert done.facts == {"device": "cpu", "sha256": hash_of(path)}
    assert house.remote.polled == []


def test_done_without_a_video_is_a_broken_provider(house):
    """A provider that says completed and gives nothing fails the job, which is not asked again."""
    job = submit(house)
    house.remote.finish(job.job_id)
    house.remote._fetch = lambda run: None
    done = house.generation.check(job.job_id)
    assert (done.status, done.error_code) == ("failed", "malformed_answer")
    assert "gave no video" in done.error


def test_two_processes_fetch_at_once(house, tmp_path):
    """Both get the finished job, one video is kept, and no copy is left lying about."""
    job = submit(house)
    house.remote.finish(job.job_id)
    barrier = threading.Barrier(2)
    poll = house.remote.poll

    def together(job):
        report = poll(job)
        barrier.wait()
        return report

    house.remote.poll = together
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(house.generation.check(job.job_id)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status for one in found] == ["completed", "completed"]
    assert found[0].result_video == found[1].result_video
    assert list((tmp_path / "spool").iterdir()) == []


def overtaken(house, job_id):
    """Let another process finish the job, as if between a poll and what follows it."""
    poll = house.remote.poll

    def slow(job):
        report = poll(job)
        house.remote.poll = poll
        house.generation.check(job_id)
        return report

    house.remote.poll = slow


def test_a_video_that_another_process_brought_home_is_not_saved_again(house, tmp_path):
    """Whoever comes second takes the stored job and clears its own copy away."""
    job = submit(house)
    house.remote.finish(job.job_id)
    overtaken(house, job.job_id)
    assert house.generation.check(job.job_id).status == "completed"
    assert list((tmp_path / "spool").iterdir()) == []


def test_losing_the_file_to_a_faster_process_is_no_error(house):
    """When the save fails because another process has taken the file, the job is done."""
    job = submit(house)
    house.remote.finish(job.job_id)
    save = house.outputs.save

    def too_late(job, video):
        house.outputs.save = save
        house.generation.check(job.job_id)
        raise ProcessingError("the file is gone")

    house.outputs.save = too_late
    assert house.generation.check(job.job_id).status == "completed"


def test_a_cancel_is_asked_for_and_its_outcome_stored(house):
    """Canceling at once, canceled when the provider says so."""
    job = submit(house)
    assert house.generation.cancel(job.job_id).status == "canceling"
    assert house.generation.check(job.job_id).status == "canceled"
    assert house.remote.canceled == [job.job_id]


def test_a_cancel_that_comes_too_late_brings_the_video(house):
    """A run that ended before it heard of the stop is completed, with its video."""
    job = submit(house)
    house.remote.finish(job.job_id)
    ended = house.generation.cancel(job.job_id)
    assert ended.status == "completed"
    assert ended.result_video


def test_a_cancel_that_reaches_nobody_is_asked_again(house):
    """The job stays canceling, the caller hears why, and the next call asks again."""
    job = submit(house)
    house.remote.unreachable = True
    with pytest.raises(APIError):
        house.generation.cancel(job.job_id)
    assert house.stored(job.job_id).status == "canceling"
    house.remote.unreachable = False
    house.generation.cancel(job.job_id)
    assert finish(house, job).status == "canceled"


def test_a_canceled_job_is_not_talked_back_to_life(house):
    """A provider that still says running leaves the job canceling."""
    job = submit(house)
    house.generation.cancel(job.job_id)
    house.remote.runs[job.job_id].stopping = False
    assert house.generation.check(job.job_id).status == "canceling"


def test_a_cancel_reaches_a_run_in_this_process(house):
    """Another process cancels a blocking run: it ends, and its job is canceled, not failed."""

    def cancel_from_elsewhere(step):
        house.clock.advance(1)
        if step == 1:
            (job,) = house.generation.list(JobQuery())
            house.generation.cancel(job.job_id)

    house.blocking.during = cancel_from_elsewhere
    job = submit(house, "local")
    assert (job.status, job.error, job.result_video) == ("canceled", None, None)


def test_a_provider_may_raise_the_cancel(house):
    """An engine's own way to stop, an error, is a canceled job as well."""

    def stop(step):
        raise GenerationCanceledError("stopped")

    def submit_and_raise(request, observer):
        stop(0)

    house.blocking.submit = submit_and_raise
    assert submit(house, "local").status == "canceled"


@pytest.mark.parametrize("provider", ["local", "modal"])
def test_ctrl_c_in_a_submission(house, provider):
    """A run in this process is canceled with it; one far away may have started and is kept."""

    def interrupt(request, observer):
        raise KeyboardInterrupt

    house.generation._providers[provider].submit = interrupt
    with pytest.raises(KeyboardInterrupt):
        submit(house, provider)
    (job,) = house.generation.list(JobQuery())
    assert job.status == ("canceled" if provider == "local" else "queued")


def canceled_during_submission(house):
    """Let somebody cancel between the start of the run and the answer."""
    submit_really = house.remote.submit

    def slow(request, observer):
        (job,) = house.generation.list(JobQuery())
        house.generation.cancel(job.job_id)
        return submit_really(request, observer)

    house.remote.submit = slow


def test_a_cancel_during_the_submission_stops_the_run(house):
    """The provider knew no run yet when it was asked to stop; the run is stopped all the same."""
    canceled_during_submission(house)
    job = submit(house)
    assert job.status.is_terminal
    assert house.remote.runs[job.job_id].stopping
    assert house.remote.canceled == [job.job_id] * 2


def test_a_run_that_cannot_be_stopped_is_told(house):
    """When the second request to stop reaches nobody, that is told as trouble."""
    canceled_during_submission(house)
    submit_really = house.remote.submit

    def cut(request, observer):
        report = submit_really(request, observer)
        house.remote.unreachable = True
        return report

    house.remote.submit = cut
    submit(house)
    assert [error.code for error in house.troubles] == ["unreachable"]


def test_wait_sees_a_job_to_its_end(house):
    """Wait polls at the given pace, tells progress, and returns the job whatever its end."""
    job, told = submit(house), []
    done = house.generation.wait(job.job_id, poll=3, on_progress=told.append)
    assert done.status == "completed"
    assert house.clock.slept == [3]
    assert [moment.phase for moment in told] == ["denoising"]


def test_wait_returns_a_failed_job(house):
    """A failure is a way to end, and no error of the wait."""
    house.remote.failure = GenerationError("broke")
    assert house.generation.wait(submit(house).job_id).status == "failed"


def test_a_wait_that_takes_too_long_ends_and_the_job_goes_on(house):
    """The time is kept to the second, the message has the id, and the job is as it was."""
    job = submit(house)
    house.remote.runs[job.job_id].script[:] = [JobStatus.RUNNING]
    with pytest.raises(JobTimeoutError, match=job.job_id) as caught:
        house.generation.wait(job.job_id, timeout=5, poll=2)
    assert isinstance(caught.value, TimeoutError)
    assert house.clock.slept == [2, 2, 1]
    assert house.stored(job.job_id).status == "running"


def test_a_wait_outlasts_a_network_that_is_down(house):
    """A blip during a wait is waited out."""
    job = submit(house)
    house.remote.unreachable = True
    sleep = house.clock.sleep

    def sleep_and_mend(seconds):
        house.remote.unreachable = False
        sleep(seconds)

    house.clock.sleep = sleep_and_mend
    assert house.generation.wait(job.job_id, timeout=60).status == "completed"


def test_an_unknown_job_is_not_found(house):
    """Every use case that takes an id says so when there is no such job."""
    use_cases = house.generation
    for use_case in (use_cases.get, use_cases.check, use_cases.wait, use_cases.cancel):
        with pytest.raises(ResourceNotFoundError):
            use_case("nobody")


def test_a_job_of_a_provider_that_is_gone(house):
    """A job that was run by a provider that is not installed any more names it."""
    job = make_job(provider="veo")
    house.repository.add(job)
    with pytest.raises(UnknownProviderError, match="veo"):
        house.generation.check(job.job_id)


def test_changes_are_told(house):
    """Whoever mirrors the jobs hears of each change, in order."""
    finish(house, submit(house))
    assert [job.status for job in house.changes] == ["queued", "queued", "running", "completed"]


def image_job(house, **arguments):
    house.media.add("fox.png", width=1000, height=1000)
    call = {"prompt": "a fox", "image": "fox.png", "seed": 7} | arguments
    return house.generation.submit(
        Feature.IMAGE_TO_VIDEO, provider="modal", model="wan2.1-vace-14b", arguments=call
    )


def test_a_rerun_is_the_same_run(house):
    """From the recipe of a job, through its record, the same arguments come back."""
    first = image_job(house, num_frames=33)
    recipe = build_recipe(first, versions={}, facts={})
    again = house.generation.rerun(recipe, overrides={})
    assert again.job_id != first.job_id
    assert again.arguments == first.arguments
    assert (again.model, again.provider) == (first.model, first.provider)


def test_a_rerun_with_something_else(house):
    """Overrides replace, None takes away, and another provider may run it."""
    recipe = build_recipe(image_job(house), versions={}, facts={})
    other = house.generation.rerun(recipe, overrides={"seed": None, "fps": 8}, provider="local")
    assert other.provider == "local"
    assert other.arguments["fps"] == 8
    assert "seed" in other.arguments
    house.media.add("walk.mp4", MediaKind.VIDEO)
    house.media.add("bones.mp4", MediaKind.VIDEO)
    pose = house.generation.submit(
        Feature.POSE_GUIDANCE,
        provider="modal",
        model=None,
        arguments={"prompt": "a", "image": "fox.png", "pose_video": "bones.mp4"},
    )
    recipe = build_recipe(pose, versions={}, facts={})
    swap = {"pose_video": None, "guiding_video": "walk.mp4"}
    swapped = house.generation.rerun(recipe, overrides=swap)
    assert "pose_video" not in swapped.arguments
    assert swapped.arguments["guiding_video"]["name"] == "walk.mp4"


def test_a_rerun_without_its_picture_says_so(house):
    """A recipe from somebody else names the input that is not here."""
    recipe = build_recipe(image_job(house), versions={}, facts={})
    for media in house.media.kept.values():
        media.path.unlink(missing_ok=True)
    with pytest.raises(ValidationError) as caught:
        house.generation.rerun(recipe, overrides={})
    assert [problem.field for problem in caught.value.problems] == ["image"]


def test_a_recipe_of_an_unknown_feature_is_refused(house):
    """A recipe of a newer version is a clear error."""
    recipe = {**build_recipe(image_job(house), versions={}, facts={}), "feature": "text_to_3d"}
    with pytest.raises(ValidationError, match="text_to_3d"):
        house.generation.rerun(recipe, overrides={})
