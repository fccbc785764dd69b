"""What comes home from Modal is looked at before it counts as the video of a job."""

import hashlib

import pytest

from tiomagic_domain.errors import APIError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import make_job
from tiomagic_media.decode.mp4_check import find_mp4_problem
from tiomagic_modal.client.spool import ResultSpool
from tiomagic_modal.constants import PROTOCOL_VERSION
from tiomagic_modal.outcomes import report_outcome
from tiomagic_modal.wire import WorkerError


def box(kind, content=b""):
    return (8 + len(content)).to_bytes(4, "big") + kind + content


VIDEO = box(b"ftyp", b"isom") + box(b"moov") + box(b"mdat", b"frames")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def result_of(data=VIDEO, **changed):
    digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else "0"
    made = {
        "protocol": PROTOCOL_VERSION,
        "worker": "2",
        "job_id": "mine",
        "video": data,
        "sha256": digest,
    }
    return {**made, "recipe": {}, "facts": {}, **changed}


@pytest.fixture
def job():
    """A job that runs on Modal."""
    return make_job(job_id="mine", provider="modal", status=JobStatus.RUNNING)


def test_a_whole_video_counts(tmp_path, job):
    """Its bytes are in the spool; facts and a recipe of another form are left out."""
    report = ResultSpool(tmp_path).save_result(job, result_of(facts=["cpu"], recipe=None))
    assert report.status is JobStatus.COMPLETED
    assert report.video.path.read_bytes() == VIDEO
    assert (report.facts, report.video.recipe) == ({}, {})


WRONG_RESULTS = {
    "of another job": (result_of(job_id="yours"), "yours"),
    "no result": ("ok", "str"),
    "nothing at all": (None, "NoneType"),
    "without a video": ({k: v for k, v in result_of().items() if k != "video"}, "NoneType"),
    "a path": (result_of("/outputs/video.mp4"), "its video is str"),
    "without a digest": (result_of(sha256=None), "digest"),
    "without a protocol": ({"video": VIDEO}, "protocol"),
}


@pytest.mark.parametrize(("result", "reason"), WRONG_RESULTS.values(), ids=WRONG_RESULTS)
def test_a_result_of_another_form_fails_the_job(tmp_path, job, result, reason):
    """The job has the reason, and nothing is kept."""
    report = ResultSpool(tmp_path).save_result(job, result)
    assert (report.status, report.error_code) == (JobStatus.FAILED, "malformed_answer")
    assert reason in report.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"<html>sorry</html>", PNG, b"video", VIDEO[:-1], VIDEO[:30], b"\0" * 64]
)
def test_bytes_that_are_no_video_fail_the_job(tmp_path, job, data):
    """Whatever arrives whole and is no mp4 is no video of the job."""
    report = ResultSpool(tmp_path).save_result(job, result_of(data))
    assert (report.status, report.error_code) == (JobStatus.FAILED, "no_video")
    assert list(tmp_path.iterdir()) == []


def test_damage_on_the_way_is_fetched_again(tmp_path, job):
    """A digest that does not fit is no end of the job."""
    with pytest.raises(APIError, match="damaged") as caught:
        ResultSpool(tmp_path).save_result(job, result_of(sha256="0" * 64))
    assert caught.value.retryable


def test_boxes_of_every_size_are_read():
    """A size of 64 bits, and one that says to the end, are those of a whole file."""
    long = b"\0\0\0\1mdat" + (16 + 4).to_bytes(8, "big") + b"abcd"
    start = VIDEO[: VIDEO.index(b"mdat") - 4]
    assert find_mp4_problem(start + long) is None
    assert find_mp4_problem(start + b"\0\0\0\0mdatwhatever") is None
    assert find_mp4_problem(start) == "it has no mdat"
    assert "ends within" in find_mp4_problem(start + long[:-1])


@pytest.mark.parametrize("details", ["", ', "details": null', ', "details": {}'])
def test_a_duplicate_without_details_is_no_crash(job, details):
    """The job is under way, by a call that is not known."""
    error = WorkerError('{"code": "duplicate", "message": "taken"' + details + "}")
    report = report_outcome(error, job, asked_to_stop=False)
    assert (report.status, report.call_id) == (JobStatus.RUNNING, None)
