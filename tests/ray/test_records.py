"""The coordinator's jobs in memory and on its disk, without a cluster."""

import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.requests.wire import describe_error
from tiomagic_ray.cluster.inputs import find_input, new_folder, node_folder, sweep_node
from tiomagic_ray.cluster.job_records import FREE_ATTEMPTS, JobRecord, JobRecords
from tiomagic_ray.cluster.job_table import JobTable
from tiomagic_ray.cluster.previews import Previews
from tiomagic_ray.shared_folder import SharedFolder


def test_records_outlive_the_coordinator(tmp_path):
    records = JobRecords(tmp_path)
    first = JobRecord(job_id="a-1", task={"job": {}}, placement=[0, None], idle_s=3.0, retry=2)
    records.save(first)
    again = JobRecords(tmp_path)
    assert list(again.load()) == [first]
    assert again.cluster == records.cluster


def test_a_damaged_piece_is_noticed(tmp_path):
    records = JobRecords(tmp_path)
    with pytest.raises(Exception, match="damaged"):
        records.write_input("0" * 64, "u", 0, b"other bytes", ends=True)
    assert records.find_missing(["0" * 64]) == ["0" * 64]


def new_record(**known):
    return JobRecord(job_id="a-1", task={"job": {}}, placement=[0, None], idle_s=3.0, **known)


def test_an_attempt_that_no_worker_claimed_uses_up_no_retry():
    record = new_record(retry=0)
    record.begin_attempt("worker-1")
    assert record.lose_attempt()
    assert (record.state, record.retry, record.lost, record.unclaimed) == ("waiting", 0, 0, 1)


def test_an_attempt_that_was_claimed_uses_up_a_retry():
    record = new_record(retry=1)
    for may_run_again in (True, False):
        record.begin_attempt("worker-1")
        record.claimed = True
        assert record.lose_attempt() is may_run_again
    assert (record.lost, record.retry, record.unclaimed) == (2, 0, 0)


def test_a_job_that_ends_every_worker_does_not_circle():
    """Before they can claim it, such as by inputs that no memory holds."""
    record = new_record(retry=2)
    attempts = 1
    record.begin_attempt("worker")
    while record.lose_attempt():
        attempts += 1
        record.begin_attempt("worker")
    assert attempts == 1 + FREE_ATTEMPTS + 2
    assert record.lost == 3


def test_the_order_of_those_that_wait_outlives_the_coordinator(tmp_path):
    """Also of one whose record was written again since."""
    records = JobRecords(tmp_path)
    for name, moment in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        record = new_record(submitted_at=moment)
        record.job_id = name
        records.save(record)
    assert [record.job_id for record in JobRecords(tmp_path).load()] == ["a", "b", "c"]


def test_a_video_that_was_taken_just_before_the_end_is_there(tmp_path):
    """The worker says its end again to the next coordinator."""
    records, data = JobRecords(tmp_path), b"a video"
    digest = hashlib.sha256(data).hexdigest()
    records.write_result("j", "attempt", 0, data)
    records.keep_result("j", "attempt", digest)
    records.keep_result("j", "attempt", digest)
    assert records.result_file("j").read_bytes() == data
    with pytest.raises(FileNotFoundError):
        records.keep_result("j", "attempt", "0" * 64)


def test_a_shared_folder_forgets_what_is_old(tmp_path):
    """The inputs and videos of a week ago go; a new one stays."""
    shared = SharedFolder(tmp_path)
    for name in ("old", "new"):
        shared.open_job(name)
        shared.put_video(name, Path(__file__))
    os.utime(tmp_path / "jobs" / "old", (0, 0))
    shared.sweep(kept_s=3600)
    assert not shared.has_job("old")
    assert shared.video_file("new").exists()


def test_previews_are_drawn_while_someone_looks(monkeypatch):
    """A look before the run counts until its first picture; later ones for a minute."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    previews = Previews()
    assert not previews.is_wanted("j")
    previews.ask("j")
    now[0] = 3600.0
    assert previews.is_wanted("j")
    previews.take("j", b"picture", "")
    assert not previews.is_wanted("j")
    assert previews.ask("j") == (b"picture", "")
    assert previews.is_wanted("j")
    previews.remove("j")
    assert previews.ask("j") == (b"", "")


class Disk:
    """The coordinator's, which can be full: nothing can be put into the folder of the jobs."""

    def __init__(self, folder):
        self._jobs, self._aside = folder / "jobs", folder / "aside"

    def fill(self):
        self._jobs.rename(self._aside)
        self._jobs.write_bytes(b"")

    def free(self):
        self._jobs.unlink()
        self._aside.rename(self._jobs)


def test_a_job_that_a_full_disk_cannot_take_is_refused(tmp_path):
    """It is not there later, either: its caller was told so."""
    table = JobTable(JobRecords(tmp_path), lambda job_id: None)
    Disk(tmp_path).fill()
    with pytest.raises(ProcessingError, match="free some space") as caught:
        table.add(new_record())
    assert caught.value.code == "disk_full"
    assert list(table) == []


def test_a_job_that_a_full_disk_keeps_from_beginning_waits(tmp_path):
    """A run that no worker was given would never end."""
    table, disk = JobTable(JobRecords(tmp_path), lambda job_id: None), Disk(tmp_path)
    table.add(new_record())
    disk.fill()
    (record,) = table.waiting()
    assert not table.begin(record, "worker-1")
    assert (table.waiting(), table.running()) == ([record], [])
    disk.free()
    assert table.begin(record, "worker-1")
    assert table.running() == [record]


def test_an_end_that_a_full_disk_cannot_take_counts_and_is_written_later(tmp_path):
    """The next coordinator would make the video once more."""
    table, disk = JobTable(JobRecords(tmp_path), lambda job_id: None), Disk(tmp_path)
    record = new_record()
    table.add(record)
    assert table.begin(record, "worker-1")
    disk.fill()
    table.end(record, {"status": "completed"})
    table.write_rest()
    assert table.running() == []
    disk.free()
    assert [one.state for one in JobRecords(tmp_path).load()] == ["running"]
    table.write_rest()
    assert [one.state for one in JobRecords(tmp_path).load()] == ["done"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_what_does_not_fit_leaves_nothing_on_a_full_disk(tmp_path):
    records, name = JobRecords(tmp_path), ".abc.u.part"
    (tmp_path / "inputs" / name).symlink_to("/dev/full")
    (tmp_path / "results" / name).symlink_to("/dev/full")
    for write in (
        lambda: records.write_input("abc", "u", 0, b"piece", ends=False),
        lambda: records.write_result("abc", "u", 0, b"piece"),
    ):
        with pytest.raises(ProcessingError, match="No space left") as caught:
            write()
        assert caught.value.code == "disk_full"
    assert list(tmp_path.glob("*/.*")) == []


def test_a_full_disk_of_a_worker_is_said_as_such():
    error = OSError(errno.ENOSPC, "No space left on device")
    assert describe_error(error)["code"] == "disk_full"
    assert describe_error(OSError(errno.EIO, "broken"))["code"] == "unexpected"


def test_a_machine_keeps_no_input_and_no_rest_of_a_job_for_ever(tmp_path, monkeypatch):
    """A killed worker removes nothing, and a machine may run for years."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sent = iter([b"old", b"", b"used", b""])
    old, used = (hashlib.sha256(data).hexdigest() for data in (b"old", b"used"))
    first = find_input(old, "cluster", lambda offset: next(sent))
    second = find_input(used, "cluster", lambda offset: next(sent))
    rest = node_folder() / "making" / "job-of-a-killed-worker"
    rest.mkdir(parents=True)
    (rest / "video.mp4").write_bytes(b"half")
    for path in (first, second, rest):
        os.utime(path, (1.0, 1.0))
    find_input(used, "cluster", lambda offset: b"")
    with new_folder() as making:
        sweep_node()
        assert making.exists()
    assert [path.exists() for path in (first, second, rest, making)] == [False, True, False, False]
