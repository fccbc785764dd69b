"""Sends inputs and fetches finished videos, in pieces; keeps a video until it is saved."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media, VideoFile
from tiomagic_domain.requests.wire import FULL_DISK
from tiomagic_ray.constants import CHUNK_BYTES
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.shared_folder import SharedFolder


def send_inputs(connection: ClusterConnection, inputs: Iterable[Media]) -> None:
    """Send those inputs that the cluster does not have, each once."""
    files = {media.sha256: media for media in inputs}
    missing = connection.coordinator("find_missing", sorted(files)) if files else []
    for digest in missing:
        data, upload = files[digest].read_bytes(), uuid.uuid4().hex
        for offset in range(0, max(len(data), 1), CHUNK_BYTES):
            piece = data[offset : offset + CHUNK_BYTES]
            ends = offset + CHUNK_BYTES >= len(data)
            connection.coordinator("write_input", digest, upload, offset, piece, ends=ends)


class FetchedVideos:
    """A folder of finished videos, until the output store has taken them.

    Args:
        folder: Created with the first video.
        shared: The folder that the cluster shares with this machine; None for the one that the job
            was submitted with.
    """

    def __init__(self, folder: Path, shared: Path | None = None) -> None:
        self._folder = folder
        self._shared = shared

    def take(
        self, job: Job, outcome: Mapping[str, Any], connection: ClusterConnection
    ) -> VideoFile:
        """Return a job's video, fetched unless it is here; whole or not at all.

        Raises:
            APIError: retryable, when it did not arrive whole.
            ProcessingError: when it cannot be written.
        """
        target = self._folder / f"ray-{job.job_id}.mp4"
        if not target.exists():
            if "shared" in outcome:
                self._copy(target, job, outcome)
            else:
                self._fetch(target, job, outcome["sha256"], connection)
        return VideoFile(path=target, recipe=outcome["recipe"])

    def _copy(self, target: Path, job: Job, outcome: Mapping[str, Any]) -> None:
        """Copy a video from the shared folder, where it stays as long as others are kept."""
        found = SharedFolder(self._shared or Path(outcome["shared"])).video_file(job.job_id)
        if not found.exists():
            raise ProcessingError(
                f"the video of job {job.job_id} is finished, and {found} is not here: set "
                "ray_shared_dir to the folder's path on this machine; the next check looks again",
                details={"path": str(found)},
            )
        try:
            make_private(self._folder)
            with replacing(target, durable=False) as part:
                part.touch(mode=0o600)
                shutil.copyfile(found, part)
                if sha256_of(part) != outcome["sha256"]:
                    raise _damaged(job)
        except OSError as error:
            raise explain_unwritten(job, self._folder, error) from error

    def _fetch(self, target: Path, job: Job, sha256: str, connection: ClusterConnection) -> None:
        digest = hashlib.sha256()
        try:
            make_private(self._folder)
            with replacing(target, durable=False) as part:
                part.touch(mode=0o600)
                with part.open("wb") as file:
                    while True:
                        args = (job.job_id, file.tell())
                        piece = connection.coordinator("read_result", *args)
                        if not piece:
                            break
                        file.write(piece)
                        digest.update(piece)
                if digest.hexdigest() != sha256:
                    raise _damaged(job)
        except OSError as error:
            raise explain_unwritten(job, self._folder, error) from error


def explain_unwritten(job: Job, folder: Path, error: OSError) -> ProcessingError:
    """Return why a finished video is not here yet.

    Args:
        job: Its job.
        folder: Where it was to be written.
        error: What the system said.
    """
    return ProcessingError(
        f"the video of job {job.job_id} is finished but could not be written to {folder}: "
        f"{error.strerror}; free some space there, or make it writable: the next check fetches it "
        "again",
        details={"folder": str(folder)},
        code=ErrorCode.DISK_FULL if error.errno in FULL_DISK else ErrorCode.SPOOL_UNWRITABLE,
    )


def _damaged(job: Job) -> APIError:
    return APIError(
        f"the video of job {job.job_id} arrived damaged; the next check fetches it again",
        code=ErrorCode.DAMAGED,
        retryable=True,
    )
