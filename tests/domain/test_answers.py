"""Answers of providers that are wrong: each fails its own job, with the reason, and no other."""

import json

import pytest

from tiomagic_domain.errors import APIError, ProcessingError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Report

RUNNING = JobStatus.RUNNING


def submit(parts, provider="modal"):
    return parts.generation.submit(
        Feature.TEXT_TO_VIDEO, provider=provider, model=None, arguments={"prompt": "a fox"}
    )


def answering(parts, answers):
    """Let the provider answer each job as it is told; a job without an answer is as it is."""
    poll = parts.remote.poll

    def wrong(job):
        answer = answers.get(job.job_id)
        if isinstance(answer, Exception):
            raise answer
        return poll(job) if answer is None else answer

    parts.remote.poll = wrong


class ConnectError(Exception):
    """What a library of the network raises that knows nothing of OSError."""


MALFORMED = {
    "a missing key": KeyError("video"),
    "a bug": AttributeError("'NoneType' object has no attribute 'get'"),
    "no JSON": json.JSONDecodeError("Expecting value", "<html>", 0),
    "anything": RuntimeError("odd"),
    "a dict": {"status": "completed"},
    "a text": "completed",
    "a word": Report(status="completed"),
    "facts that are none": Report(status=RUNNING, facts=["cpu"]),
    "facts that are no data": Report(status=RUNNING, facts={"device": object()}),
    "a number for a text": Report(status=RUNNING, message=7),
    "an error that is none": Report(status=JobStatus.FAILED, error={"code": 1}),
    "progress that is none": Report(status=RUNNING, progress=0.5),
    "a path for a video": Report(status=JobStatus.COMPLETED, video="video.mp4"),
    "a pause without end": Report(status=RUNNING, retry_after=float("inf")),
    "no video": Report(status=JobStatus.COMPLETED),
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_fails_its_job_alone(parts, answer):
    """Recovery goes on to the next job, and the reason is on the one that failed."""
    odd, even = submit(parts), submit(parts)
    answering(parts, {odd.job_id: answer})
    parts.remote.finish(even.job_id)
    changed = parts.generation.recover()
    assert {job.job_id for job in changed} == {odd.job_id, even.job_id}
    failed = parts.stored(odd.job_id)
    assert (failed.status, failed.error_code) == ("failed", "malformed_answer")
    assert "modal" in failed.error
    assert parts.stored(even.job_id).status == "completed"
    assert parts.generation.check(odd.job_id) == failed


@pytest.mark.parametrize("error", [ConnectError("down"), ConnectionResetError(104), OSError("eh")])
def test_a_network_that_is_down_is_no_answer(parts, error):
    """Whatever a library raises when nobody can be asked: the job stays, with a message."""
    job = submit(parts)
    answering(parts, {job.job_id: error})
    looked = parts.generation.check(job.job_id)
    assert looked.status == "queued"
    assert "could not be asked" in looked.message


@pytest.mark.parametrize(
    "content", [b"", b"<html>sorry</html>", b'\xef\xbb\xbf\n {"error": 1}', b"[1]"]
)
def test_a_result_that_is_no_video_fails_the_job(parts, tmp_path, content):
    """Nothing, a web page or JSON in the place of the video is a failure that quotes it."""
    job = submit(parts)
    (tmp_path / "result.mp4").write_bytes(content)
    video = VideoFile(path=tmp_path / "result.mp4", recipe={})
    answering(parts, {job.job_id: Report(status=JobStatus.COMPLETED, video=video)})
    failed = parts.generation.check(job.job_id)
    assert (failed.status, failed.error_code) == ("failed", "no_video")
    assert failed.result_video is None
    assert parts.outputs.saved == {}


def test_a_malformed_answer_to_a_submission_fails_the_job(parts):
    """It is raised in our words, and the job is stored as failed."""
    parts.remote.submit = lambda request, observer: {"call_id": "1"}
    with pytest.raises(ProcessingError, match="cannot be understood: dict"):
        submit(parts)
    (job,) = parts.repository.jobs.values()
    assert (job.status, job.error_code) == ("failed", "malformed_answer")


def test_a_malformed_answer_to_a_cancel_is_in_our_words(parts):
    """The job goes on being canceled, and the next call asks again."""
    job = submit(parts)
    cancel = parts.remote.cancel
    parts.remote.cancel = lambda job: (_ for _ in ()).throw(KeyError("id"))
    with pytest.raises(ProcessingError, match="KeyError"):
        parts.generation.cancel(job.job_id)
    assert parts.stored(job.job_id).status == "canceling"
    parts.remote.cancel = cancel
    parts.generation.cancel(job.job_id)
    assert parts.generation.check(job.job_id).status == "canceled"


def test_trouble_of_any_kind_does_not_end_a_recovery(parts):
    """Even what is raised outside of a provider is told, and the next job is looked at."""
    odd, even = submit(parts), submit(parts)
    find = parts.outputs.find

    def broken(job):
        if job.job_id == odd.job_id:
            raise ValueError("an output store of somebody else")
        return find(job)

    parts.outputs.find = broken
    parts.remote.finish(even.job_id)
    assert [job.job_id for job in parts.generation.recover()] == [even.job_id]
    (trouble,) = parts.troubles
    assert odd.job_id in trouble.message
    answering(parts, {odd.job_id: APIError("no", code="refused")})
    parts.outputs.find = find
    assert parts.generation.recover() == []
    assert parts.troubles[-1].code == "refused"
