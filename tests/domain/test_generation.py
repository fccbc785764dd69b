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
from tiomagic_domain.lifecycle.job_updater import JobUpdater, hash_file
from tiomagic_domain.media import MediaKind
from tiomagic_domain.testing import make_job
from tiomagic_domain.testing.outputs import make_video

TEXT = Feature.TEXT_TO_VIDEO


def submit(parts, provider="modal", **fields):
    call = {"model": None, "arguments": {"prompt": "a fox"}} | fields
    return parts.generation.submit(TEXT, provider=provider, **call)


def finish(parts, job):
    """Check until the video is there."""
    while not job.status.is_terminal:
        job = parts.generation.check(job.job_id)
    return job


def test_a_remote_job_is_followed_to_its_video(parts):
    """Queued, running, completed: each check stores the next word, the last brings the video."""
    job = submit(parts)
    assert (job.status, job.call_id, job.model) == ("queued", "call-1", "wan2.1-vace-14b")
    assert parts.generation.check(job.job_id).status == "running"
    done = parts.generation.check(job.job_id)
    assert done.status == "completed"
    assert done == parts.stored(job.job_id)
    assert parts.outputs.saved[job.job_id].read_bytes().startswith(b"a video")
    assert done.result_video == str(parts.outputs.saved[job.job_id])


def test_a_blocking_job_comes_back_finished(parts):
    """A blocking provider returns the video, having told each step."""
    told = []
    job = submit(parts, "local", on_progress=told.append)
    assert job.status == "completed"
    assert [moment.step for moment in told] == [0, 1, 2, 3]


def test_the_job_is_stored_before_the_provider_is_called(parts):
    """When the run begins, any process can already find the job."""
    seen = []
    parts.blocking.during = lambda step: seen.extend(parts.generation.list(JobQuery()))
    job = submit(parts, "local")
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
def test_bad_input_stores_and_sends_nothing(parts, fields, error):
    """What is wrong with a call is found before a job exists."""
    with pytest.raises(error):
        submit(parts, **fields)
    assert parts.repository.jobs == {}
    assert parts.remote.submitted == []


def test_an_unknown_provider_is_told_the_known_ones(parts):
    """The message proposes a name and lists all."""
    with pytest.raises(UnknownProviderError, match=r"Did you mean 'modal'\? .*'local', 'modal'"):
        submit(parts, "modl")


def test_what_the_provider_refuses_beforehand_is_not_stored(parts):
    """A missing token is found by the check, and there is no job of it."""
    parts.remote.rejection = AuthenticationError("no token")
    with pytest.raises(AuthenticationError):
        submit(parts)
    assert parts.repository.jobs == {}
    assert parts.remote.submitted == []


def test_a_submission_that_did_not_start_is_raised_and_stored_as_failed(parts):
    """No job looks fine that is not: the error names it, and it says why it failed."""
    parts.remote.unreachable = True
    with pytest.raises(APIError) as caught:
        submit(parts)
    job = parts.stored(caught.value.details["job_id"])
    assert (job.status, job.error, job.error_code) == (
        "failed",
        caught.value.message,
        "unreachable",
    )


def test_a_run_that_fails_on_the_way_is_raised_and_stored(parts):
    """The engine's error reaches the caller, and the job keeps its text and code."""
    parts.blocking.failure = GenerationError("not enough memory", code="out_of_memory")
    with pytest.raises(GenerationError) as caught:
        submit(parts, "local")
    job = parts.stored(caught.value.details["job_id"])
    assert (job.status, job.error, job.error_code) == (
        "failed",
        "not enough memory",
        "out_of_memory",
    )


def test_a_bug_in_a_provider_fails_the_job_too(parts):
    """An error that nobody foresaw is stored with its class, and passed on as it is."""

    def break_down(step):
        raise ZeroDivisionError("by zero")

    parts.blocking.during = break_down
    with pytest.raises(ZeroDivisionError):
        submit(parts, "local")
    (job,) = parts.generation.list(JobQuery())
    assert (job.status, job.error, job.error_code) == (
        "failed",
        "ZeroDivisionError: by zero",
        "unexpected",
    )


def test_the_cause_is_raised_even_when_it_cannot_be_stored(parts):
    """A full disk must not hide why the job failed: it is told beside it."""

    class BrokenModelError(Exception):
        pass

    def break_down(step):
        parts.repository.save = refuse
        raise BrokenModelError

    def refuse(job):
        raise ProcessingError("disk full")

    parts.blocking.during = break_down
    with pytest.raises(BrokenModelError):
        submit(parts, "local")
    assert [error.message for error in parts.troubles] == ["disk full"]


def test_a_lost_answer_is_looked_up_and_never_sent_again(parts):
    """The job stays queued, the next check finds the run by the job's id, and one run exists."""
    parts.remote.loses_answers = True
    job = submit(parts)
    assert (job.status, job.call_id) == ("queued", None)
    assert "lost" in job.message
    done = finish(parts, job)
    assert (done.status, done.call_id) == ("completed", "call-1")
    assert len(parts.remote.submitted) == 1


def test_a_lost_request_ends_as_failed(parts):
    """When the look-up finds that nothing ever started, the job says so."""
    parts.remote.loses_requests = True
    job = finish(parts, submit(parts))
    assert (job.status, job.error_code) == ("failed", "lost")


def test_a_network_that_is_down_leaves_the_job_alone(parts):
    """A failed poll is noted and changes no status; the same note is not written twice."""
    job = submit(parts)
    parts.remote.unreachable = True
    seen = parts.generation.check(job.job_id)
    assert (seen.status, seen.call_id) == (job.status, job.call_id)
    assert "cannot be reached" in seen.message
    assert parts.generation.check(job.job_id).version == seen.version
    parts.remote.unreachable = False
    assert finish(parts, job).status == "completed"


def test_a_refused_poll_is_raised(parts):
    """What waiting does not mend reaches the caller, and the job stays as it is."""
    job = submit(parts)

    def refuse(job):
        raise APIError("the token was withdrawn")

    parts.remote.poll = refuse
    with pytest.raises(APIError, match="withdrawn"):
        parts.generation.check(job.job_id)
    assert parts.stored(job.job_id) == job


def test_a_run_that_the_provider_lost_fails(parts):
    """The provider's word that it knows no such run ends the job."""
    job = submit(parts)
    parts.remote.forget(job.job_id)
    ended = parts.generation.check(job.job_id)
    assert (ended.status, ended.error_code) == ("failed", "lost")


def test_a_remote_failure_is_stored_with_its_reason(parts):
    """A run that fails far away is no error of the check; the job has the reason."""
    job = submit(parts)
    parts.remote.failure = GenerationError("no memory", code="out_of_memory")
    ended = finish(parts, job)
    assert (ended.status, ended.error, ended.error_code) == ("failed", "no memory", "out_of_memory")


def test_a_finished_job_is_not_asked_about(parts):
    """After the end no check contacts the provider."""
    job = finish(parts, submit(parts))
    polls = len(parts.remote.polled)
    assert parts.generation.check(job.job_id) == job
    assert parts.generation.cancel(job.job_id) == job
    assert (len(parts.remote.polled), parts.remote.canceled) == (polls, [])


def test_a_video_that_cannot_be_saved_can_be_fetched_again(parts):
    """A full disk raises, the job goes on with a note, and the next check brings the video."""
    job = submit(parts)
    parts.generation.check(job.job_id)
    parts.outputs.failure = ProcessingError("no space left")
    with pytest.raises(ProcessingError) as caught:
        parts.generation.check(job.job_id)
    assert caught.value.details["job_id"] == job.job_id
    noted = parts.stored(job.job_id)
    assert noted.status == "running"
    assert "no space left" in noted.message
    parts.outputs.failure = None
    assert parts.generation.check(job.job_id).status == "completed"


def test_a_video_that_cannot_be_fetched_says_why_its_job_waits(parts, monkeypatch):
    """A disk that is full while it comes: the stored job says so, and the next check has it."""
    job = submit(parts)
    parts.generation.check(job.job_id)

    def poll(_job):
        raise ProcessingError("no space left for it", code="disk_full")

    with monkeypatch.context() as full:
        full.setattr(parts.remote, "poll", poll)
        with pytest.raises(ProcessingError) as caught:
            parts.generation.check(job.job_id)
    assert caught.value.details["job_id"] == job.job_id
    assert parts.stored(job.job_id).status == "running"
    assert parts.stored(job.job_id).message == "no space left for it"
    assert parts.generation.check(job.job_id).status == "completed"


def test_a_blocking_video_that_cannot_be_saved_can_be_fetched_again(parts):
    """The same holds for a run in this process: the work is not lost."""
    parts.outputs.failure = ProcessingError("no space left")
    with pytest.raises(ProcessingError) as caught:
        submit(parts, "local")
    parts.outputs.failure = None
    job = parts.generation.check(caught.value.details["job_id"])
    assert job.status == "completed"
    assert len(parts.blocking.runs) == 1


def test_a_video_that_was_saved_before_its_process_died_counts(parts, tmp_path):
    """Dead between saving and telling: the next look finds the video, and asks no provider."""
    job = submit(parts)
    video = make_video(tmp_path / "spool")
    video.recipe["facts"] = {"device": "cpu"}
    path = parts.outputs.save(job, video)
    done = parts.generation.check(job.job_id)
    assert (done.status, done.result_video) == ("completed", str(path))
    assert done.facts == {"device": "cpu", "sha256": hash_file(path)}
    assert parts.remote.polled == []


def test_done_without_a_video_is_a_broken_provider(parts):
    """A provider that says completed and gives nothing fails the job, which is not asked again."""
    job = submit(parts)
    parts.remote.finish(job.job_id)
    parts.remote._fetch = lambda run: None
    done = parts.generation.check(job.job_id)
    assert (done.status, done.error_code) == ("failed", "malformed_answer")
    assert "gave no video" in done.error


def test_two_processes_fetch_at_once(parts, tmp_path):
    """Both get the finished job, one video is kept, and no copy is left lying about."""
    job = submit(parts)
    parts.remote.finish(job.job_id)
    barrier = threading.Barrier(2)
    poll = parts.remote.poll

    def together(job):
        report = poll(job)
        barrier.wait()
        return report

    parts.remote.poll = together
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(parts.generation.check(job.job_id)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status for one in found] == ["completed", "completed"]
    assert found[0].result_video == found[1].result_video
    assert list((tmp_path / "spool").iterdir()) == []


def overtaken(parts, job_id):
    """Let another process finish the job, as if between a poll and what follows it."""
    poll = parts.remote.poll

    def slow(job):
        report = poll(job)
        parts.remote.poll = poll
        parts.generation.check(job_id)
        return report

    parts.remote.poll = slow


def test_a_video_that_another_process_brought_home_is_not_saved_again(parts, tmp_path):
    """Whoever comes second takes the stored job and clears its own copy away."""
    job = submit(parts)
    parts.remote.finish(job.job_id)
    overtaken(parts, job.job_id)
    assert parts.generation.check(job.job_id).status == "completed"
    assert list((tmp_path / "spool").iterdir()) == []


def test_losing_the_file_to_a_faster_process_is_no_error(parts):
    """When the save fails because another process has taken the file, the job is done."""
    job = submit(parts)
    parts.remote.finish(job.job_id)
    save = parts.outputs.save

    def too_late(job, video):
        parts.outputs.save = save
        parts.generation.check(job.job_id)
        raise ProcessingError("the file is gone")

    parts.outputs.save = too_late
    assert parts.generation.check(job.job_id).status == "completed"


def test_a_cancel_is_asked_for_and_its_outcome_stored(parts):
    """Canceling at once, canceled when the provider says so."""
    job = submit(parts)
    assert parts.generation.cancel(job.job_id).status == "canceling"
    assert parts.generation.check(job.job_id).status == "canceled"
    assert parts.remote.canceled == [job.job_id]


def test_a_cancel_that_comes_too_late_brings_the_video(parts):
    """A run that ended before it heard of the stop is completed, with its video."""
    job = submit(parts)
    parts.remote.finish(job.job_id)
    ended = parts.generation.cancel(job.job_id)
    assert ended.status == "completed"
    assert ended.result_video


def test_a_cancel_that_reaches_nobody_is_asked_again(parts):
    """The job stays canceling, the caller hears why, and the next call asks again."""
    job = submit(parts)
    parts.remote.unreachable = True
    with pytest.raises(APIError):
        parts.generation.cancel(job.job_id)
    assert parts.stored(job.job_id).status == "canceling"
    parts.remote.unreachable = False
    parts.generation.cancel(job.job_id)
    assert finish(parts, job).status == "canceled"


def test_a_canceled_job_is_not_talked_back_to_life(parts):
    """A provider that still says running leaves the job canceling."""
    job = submit(parts)
    parts.generation.cancel(job.job_id)
    parts.remote.runs[job.job_id].stopping = False
    assert parts.generation.check(job.job_id).status == "canceling"


def test_a_cancel_reaches_a_run_in_this_process(parts):
    """Another process cancels a blocking run: it ends, and its job is canceled, not failed."""

    def cancel_from_elsewhere(step):
        parts.clock.advance(1)
        if step == 1:
            (job,) = parts.generation.list(JobQuery())
            parts.generation.cancel(job.job_id)

    parts.blocking.during = cancel_from_elsewhere
    job = submit(parts, "local")
    assert (job.status, job.error, job.result_video) == ("canceled", None, None)


def test_a_provider_may_raise_the_cancel(parts):
    """An engine's own way to stop, an error, is a canceled job as well."""

    def stop(step):
        raise GenerationCanceledError("stopped")

    def submit_and_raise(request, observer):
        stop(0)

    parts.blocking.submit = submit_and_raise
    assert submit(parts, "local").status == "canceled"


@pytest.mark.parametrize("provider", ["local", "modal"])
def test_ctrl_c_in_a_submission(parts, provider):
    """A run in this process is canceled with it; one far away may have started and is kept."""

    def interrupt(request, observer):
        raise KeyboardInterrupt

    parts.generation._providers[provider].submit = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        submit(parts, provider)
    (job,) = parts.generation.list(JobQuery())
    assert job.status == ("canceled" if provider == "local" else "queued")
    became = "the job is canceled. To" if provider == "local" else "the job may have started: check"
    (note,) = caught.value.__notes__
    assert note.startswith(became)
    assert job.job_id in note


def test_ctrl_c_while_a_finished_video_is_saved(parts, monkeypatch):
    """The run is not lost: the next check saves it, and the note says so."""
    apply = JobUpdater.apply

    def interrupt(updater, job, report, **changes):
        if report.video is not None:
            raise KeyboardInterrupt
        return apply(updater, job, report, **changes)

    monkeypatch.setattr(JobUpdater, "apply", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        submit(parts, "local")
    (job,) = parts.generation.list(JobQuery())
    assert caught.value.__notes__ == [
        f"the video is made, but not saved: check the job {job.job_id} again"
    ]


def test_files_and_values_are_refused_together(parts):
    """A picture that is not there and a wrong size are one error; the web is not asked."""
    call = {"prompt": "a fox", "image": "nope.png", "width": 833}
    with pytest.raises(ValidationError) as caught:
        parts.generation.submit(
            Feature.IMAGE_TO_VIDEO, provider="modal", model="wan2.1-vace-14b", arguments=call
        )
    assert [problem.field for problem in caught.value.problems] == ["width", "image"]
    call["image"] = "https://example.org/nope.png"
    with pytest.raises(ValidationError) as caught:
        parts.generation.submit(
            Feature.IMAGE_TO_VIDEO, provider="modal", model="wan2.1-vace-14b", arguments=call
        )
    assert [problem.field for problem in caught.value.problems] == ["width"]


def canceled_during_submission(parts):
    """Let somebody cancel between the start of the run and the answer."""
    submit_really = parts.remote.submit

    def slow(request, observer):
        (job,) = parts.generation.list(JobQuery())
        parts.generation.cancel(job.job_id)
        return submit_really(request, observer)

    parts.remote.submit = slow


def test_a_cancel_during_the_submission_stops_the_run(parts):
    """The provider knew no run yet when it was asked to stop; the run is stopped all the same."""
    canceled_during_submission(parts)
    job = submit(parts)
    assert job.status.is_terminal
    assert parts.remote.runs[job.job_id].stopping
    assert parts.remote.canceled == [job.job_id] * 2


def test_a_run_that_cannot_be_stopped_is_told(parts):
    """When the second request to stop reaches nobody, that is told as trouble."""
    canceled_during_submission(parts)
    submit_really = parts.remote.submit

    def cut(request, observer):
        report = submit_really(request, observer)
        parts.remote.unreachable = True
        return report

    parts.remote.submit = cut
    submit(parts)
    assert [error.code for error in parts.troubles] == ["unreachable"]


def test_wait_sees_a_job_to_its_end(parts):
    """Wait polls at the given pace, tells progress, and returns the job whatever its end."""
    job, told = submit(parts), []
    done = parts.generation.wait(job.job_id, poll=3, on_progress=told.append)
    assert done.status == "completed"
    assert parts.clock.slept == [3]
    assert [moment.phase for moment in told] == ["denoising"]


def test_wait_returns_a_failed_job(parts):
    """A failure is a way to end, and no error of the wait."""
    parts.remote.failure = GenerationError("broke")
    assert parts.generation.wait(submit(parts).job_id).status == "failed"


def test_a_wait_that_takes_too_long_ends_and_the_job_goes_on(parts):
    """The time is kept to the second, the message has the id, and the job is as it was."""
    job = submit(parts)
    parts.remote.runs[job.job_id].script[:] = [JobStatus.RUNNING]
    with pytest.raises(JobTimeoutError, match=job.job_id) as caught:
        parts.generation.wait(job.job_id, timeout=5, poll=2)
    assert isinstance(caught.value, TimeoutError)
    assert parts.clock.slept == [2, 2, 1]
    assert parts.stored(job.job_id).status == "running"


def test_a_wait_outlasts_a_network_that_is_down(parts):
    """A blip during a wait is waited out."""
    job = submit(parts)
    parts.remote.unreachable = True
    sleep = parts.clock.sleep

    def sleep_and_mend(seconds):
        parts.remote.unreachable = False
        sleep(seconds)

    parts.clock.sleep = sleep_and_mend
    assert parts.generation.wait(job.job_id, timeout=60).status == "completed"


def test_an_unknown_job_is_not_found(parts):
    """Every use case that takes an id says so when there is no such job."""
    use_cases = parts.generation
    for use_case in (use_cases.get, use_cases.check, use_cases.wait, use_cases.cancel):
        with pytest.raises(ResourceNotFoundError):
            use_case("nobody")


def test_a_job_of_a_provider_that_is_gone(parts):
    """A job that was run by a provider that is not installed any more names it."""
    job = make_job(provider="veo")
    parts.repository.add(job)
    with pytest.raises(UnknownProviderError, match="veo"):
        parts.generation.check(job.job_id)


def test_changes_are_told(parts):
    """Whoever mirrors the jobs hears of each change, in order."""
    finish(parts, submit(parts))
    assert [job.status for job in parts.changes] == ["queued", "queued", "running", "completed"]


def image_job(parts, **arguments):
    parts.media.add("fox.png", width=1000, height=1000)
    call = {"prompt": "a fox", "image": "fox.png", "seed": 7} | arguments
    return parts.generation.submit(
        Feature.IMAGE_TO_VIDEO, provider="modal", model="wan2.1-vace-14b", arguments=call
    )


def test_a_rerun_is_the_same_run(parts):
    """From the recipe of a job, through its record, the same arguments come back."""
    first = image_job(parts, num_frames=33)
    recipe = build_recipe(first, versions={}, facts={})
    again = parts.generation.rerun(recipe, overrides={})
    assert again.job_id != first.job_id
    assert again.arguments == first.arguments
    assert (again.model, again.provider) == (first.model, first.provider)


def test_a_rerun_with_something_else(parts):
    """Overrides replace, None takes away, and another provider may run it."""
    recipe = build_recipe(image_job(parts), versions={}, facts={})
    other = parts.generation.rerun(recipe, overrides={"seed": None, "fps": 8}, provider="local")
    assert other.provider == "local"
    assert other.arguments["fps"] == 8
    assert "seed" in other.arguments
    parts.media.add("walk.mp4", MediaKind.VIDEO)
    parts.media.add("bones.mp4", MediaKind.VIDEO)
    pose = parts.generation.submit(
        Feature.POSE_GUIDANCE,
        provider="modal",
        model=None,
        arguments={"prompt": "a", "image": "fox.png", "pose_video": "bones.mp4"},
    )
    recipe = build_recipe(pose, versions={}, facts={})
    swap = {"pose_video": None, "guiding_video": "walk.mp4"}
    swapped = parts.generation.rerun(recipe, overrides=swap)
    assert "pose_video" not in swapped.arguments
    assert swapped.arguments["guiding_video"]["name"] == "walk.mp4"


def test_a_rerun_without_its_picture_says_so(parts):
    """A recipe from somebody else names the input that is not here."""
    recipe = build_recipe(image_job(parts), versions={}, facts={})
    for media in parts.media.kept.values():
        media.path.unlink(missing_ok=True)
    with pytest.raises(ValidationError) as caught:
        parts.generation.rerun(recipe, overrides={})
    assert [problem.field for problem in caught.value.problems] == ["image"]


def test_a_recipe_of_an_unknown_feature_is_refused(parts):
    """A recipe of a newer version is a clear error."""
    recipe = {**build_recipe(image_job(parts), versions={}, facts={}), "feature": "text_to_3d"}
    with pytest.raises(ValidationError, match="text_to_3d"):
        parts.generation.rerun(recipe, overrides={})
