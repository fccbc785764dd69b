"""The folder that all machines share: inputs and videos are put there instead of being sent.

================================  ==================================================
``inputs/<sha256>``               an input, once for all jobs
``jobs/<job id>/video.mp4``       a finished video; the caller makes the job's folder
================================  ==================================================

The folder of a job is a proof as well: a worker that does not find it looks at another folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.media import Media
from tiomagic_ray.constants import SHARED_VARIABLE


@dataclass(frozen=True, slots=True)
class Probe:
    """A file that exists only in this folder, and only while it is looked for."""

    name: str
    text: str


class SharedFolder:
    """The folder, as one machine sees it.

    Args:
        folder: Its path here. What is made in it has the permissions that the folder's other users
            need: those of the process's umask.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    @classmethod
    def of_cluster(cls, named: str) -> Self:
        """Return the folder as a machine of the cluster has it.

        Args:
            named: Its path on the caller's machine.
        """
        return cls(Path(os.environ.get(SHARED_VARIABLE) or named))

    @contextlib.contextmanager
    def show_probe(self) -> Iterator[Probe]:
        """Have a new file there, for others to find, as long as the block lasts.

        Raises:
            ConfigurationError: when it cannot be written here.
        """
        probe = Probe(f".tiomagic-probe-{secrets.token_hex(8)}", secrets.token_hex(16))
        path = self.folder / probe.name
        try:
            path.write_text(probe.text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"ray_shared_dir={str(self.folder)!r} cannot be written here ({error.strerror}): "
                "give the folder that all machines mount, or leave it out to have files sent",
                details={"setting": "ray_shared_dir", "given": str(self.folder)},
                code=ErrorCode.SHARED_FOLDER,
            ) from error
        try:
            yield probe
        finally:
            path.unlink(missing_ok=True)

    def has(self, probe: Probe) -> bool:
        """Say whether this is the folder with the probe, and can be written."""
        try:
            text = (self.folder / probe.name).read_text(encoding="utf-8")
        except OSError:
            return False
        return text == probe.text and os.access(self.folder, os.W_OK)

    def put_input(self, media: Media) -> None:
        """Have an input there, and keep it for longer where it is already."""
        target = self.input_file(media.sha256)
        target.parent.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            os.utime(target)
            return
        with replacing(target) as part:
            shutil.copyfile(media.path, part)

    def input_file(self, digest: str) -> Path:
        """Return the path of an input."""
        return self.folder / "inputs" / digest

    def find_input(self, digest: str) -> Path:
        """Return the path of an input that is whole.

        Raises:
            ProcessingError: when it is not.
        """
        path = self.input_file(digest)
        if not path.exists() or sha256_of(path) != digest:
            raise ProcessingError(f"the input {path} is missing or damaged", code=ErrorCode.DAMAGED)
        return path

    def open_job(self, job_id: str) -> None:
        """Make the folder of a job."""
        self._job_folder(job_id).mkdir(parents=True, exist_ok=True)

    def has_job(self, job_id: str) -> bool:
        """Say whether the caller has made the job's folder."""
        return self._job_folder(job_id).is_dir()

    def put_video(self, job_id: str, video: Path) -> None:
        """Put a finished video into its job's folder, whole or not at all."""
        with replacing(self.video_file(job_id)) as part:
            shutil.copyfile(video, part)

    def video_file(self, job_id: str) -> Path:
        """Return the path of a job's video."""
        return self._job_folder(job_id) / "video.mp4"

    def sweep(self, kept_s: float) -> None:
        """Remove the inputs and the videos that are older."""
        now = time.time()
        for path in [*self.folder.glob("inputs/*"), *self.folder.glob("jobs/*")]:
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > kept_s:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _job_folder(self, job_id: str) -> Path:
        return self.folder / "jobs" / job_id
