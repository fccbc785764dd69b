"""A finished video comes back whole or not at all, whatever the caller's disk does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
from types import SimpleNamespace

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_ray.constants import CHUNK_BYTES
from tiomagic_ray.link.spool import FetchedVideos, explain_unwritten

VIDEO = os.urandom(2 * CHUNK_BYTES + 17)
JOB = SimpleNamespace(job_id="a-1")
OUTCOME = {"sha256": hashlib.sha256(VIDEO).hexdigest(), "recipe": {}}


class Pieces:
    """A connection to a coordinator that has the video."""

    def coordinator(self, method, job_id, offset):
        assert (method, job_id) == ("read_result", JOB.job_id)
        return VIDEO[offset : offset + CHUNK_BYTES]


@contextlib.contextmanager
def room_for(size):
    """Have the system refuse what makes a file larger, in the middle of a write, as a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_video_without_room_is_fetched_whole_later(tmp_path):
    """Nothing of the first try is left, which the next one could take for the video."""
    videos = FetchedVideos(tmp_path / "spool")
    with room_for(CHUNK_BYTES + 5), pytest.raises(ProcessingError, match="next check") as caught:
        videos.take(JOB, OUTCOME, Pieces())
    assert str(tmp_path / "spool") in caught.value.message
    assert list((tmp_path / "spool").iterdir()) == []
    assert videos.take(JOB, OUTCOME, Pieces()).path.read_bytes() == VIDEO


def test_a_full_disk_has_its_own_code(tmp_path):
    codes = [explain_unwritten(JOB, tmp_path, OSError(number, "no")).code for number in (28, 13)]
    assert codes == ["disk_full", "spool_unwritable"]
