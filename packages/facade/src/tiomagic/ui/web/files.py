"""The files that a browser may fetch, by id: videos of jobs, inputs, samples, its own uploads.

==========================  ===================================================================
id                          is
==========================  ===================================================================
``video/<job id>``          the video of a stored job
``input/<sha256>``          a picture or video that was given to a job
``sample/<name>``           a picture or video of the samples, which come with tiomagic
``upload/<token>/<name>``   what was sent to the page
==========================  ===================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from tiomagic.ui.web.uploads import FormFile, Uploads, safe_name
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import Job

MEDIA_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
"""Types that a browser shows; all others it can only download."""
_VIDEOS: Final = frozenset(name for name, kind in MEDIA_TYPES.items() if kind.startswith("video/"))
_INPUT: Final = re.compile(r"input/(?P<sha256>[0-9a-f]{64})")
_SAMPLE: Final = re.compile(r"sample/(?P<name>[\w.-]{1,100})")
_VIDEO: Final = re.compile(r"video/(?P<job_id>[^/]{1,100})")


class ServedFiles:
    """Finds files by id. Thread-safe.

    Args:
        find_job: Returns a stored job; raises a ``TioMagicError`` when there is none.
        inputs: Folder of the kept inputs, each called by its hash.
        uploads: What was sent to the page.
        samples: The samples by name; no other file of their folders can be fetched.
    """

    def __init__(
        self,
        find_job: Callable[[str], Job],
        inputs: Path,
        uploads: Uploads,
        samples: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self._find_job = find_job
        self._inputs = inputs
        self._uploads = uploads
        self._samples = samples

    def find(self, file_id: object) -> FormFile | None:
        """Return the file of an id, which a form may hold too; None when there is none."""
        if not isinstance(file_id, str):
            return None
        if found := _VIDEO.fullmatch(file_id):
            return self._video(found["job_id"])
        if found := _INPUT.fullmatch(file_id):
            return self.find_input(found["sha256"])
        if found := _SAMPLE.fullmatch(file_id):
            path = self._samples.get(found["name"])
            return None if path is None else FormFile(file_id, path, found["name"])
        return self._uploads.find(file_id)

    def find_input(self, sha256: object, name: object = None) -> FormFile | None:
        """Return a stored input by its hash; None when it has been deleted."""
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
            return None
        for path in sorted(self._inputs.glob(f"{sha256}.*")):
            if path.is_file() and not path.is_symlink():
                called = safe_name(name) if isinstance(name, str) else path.name
                return FormFile(f"input/{sha256}", path, called)
        return None

    def _video(self, job_id: str) -> FormFile | None:
        try:
            video = self._find_job(job_id).result_video
        except TioMagicError:
            return None
        # A record may come from an untrusted source: it must not name a file that is not a video.
        if video is None or "\0" in video:
            return None
        path = Path(video)
        if path.suffix.lower() not in _VIDEOS or path.name.startswith("."):
            return None
        return FormFile(video_id(job_id), path, path.name) if path.is_file() else None


def video_id(job_id: str) -> str:
    """Return the id of a job's video."""
    return f"video/{job_id}"


def sample_id(name: str) -> str:
    """Return the id of a sample."""
    return f"sample/{name}"


def address_of(file_id: str) -> str:
    """Return the address of a file, from the page."""
    return f"gradio_api/file={quote(file_id)}"
