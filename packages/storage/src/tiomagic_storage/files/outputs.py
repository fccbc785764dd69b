"""The output store: puts finished videos and their recipes into a folder."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from contextlib import AbstractContextManager
from datetime import UTC
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import VideoFile
from tiomagic_storage.files.atomic import (
    hold_user_lock,
    remove_leftovers,
    replace_file,
    sync_or_warn,
)

_COPY_BYTES = 1 << 20
EMPTY_RECIPE_BYTES = 3
"""The recipe's bytes when a provider gives none."""


class FolderOutputStore:
    """Puts each video and its recipe into one folder, whole or not at all.

    The name is ``<model>-<feature>-<UTC time of creation>-<first 8 of the job id>``, which is the
    same in every process and at any time. If another job has a file of that name, the whole job id
    is used.

    Args:
        folder: Where to; made when the first video comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, job: Job, video: VideoFile) -> Path:
        """Put a video and its recipe in place under the job's name.

        The video is renamed last: a video never lacks its recipe.

        Returns:
            The absolute path of the video.

        Raises:
            ProcessingError: when it cannot be written. The source is untouched, and no partial
                file is left under the final name.
        """
        target = self._choose_path(job)
        recipe = json.dumps(video.recipe, indent=2, ensure_ascii=False) + "\n"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(target.parent)
            with video.path.open("rb") as source, replace_file(target) as copy:
                shutil.copyfileobj(source, copy, _COPY_BYTES)
                # A full disk may be reported only here, so the recipe is written after it.
                copy.flush()
                sync_or_warn(copy, target.parent)
                with replace_file(target.with_suffix(".json")) as beside:
                    beside.write(recipe.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise ProcessingError(
                f"the video cannot be saved as {target}: {error.strerror or error}. It is kept at "
                f"{video.path}; mend the cause and check the job again",
                details={"path": str(target), "source": str(video.path)},
                code=ErrorCode.OUTPUT_UNWRITABLE,
            ) from error
        with contextlib.suppress(OSError):  # A source that cannot be removed does no harm.
            video.path.unlink()
        return target

    def find(self, job: Job) -> VideoFile | None:
        """Return a job's saved video with its recipe, or None.

        A removed or damaged recipe counts as empty.
        """
        # The longer name first: it exists only if the shorter one was taken.
        for target in reversed(self._candidate_paths(job)):
            recipe = _read_recipe(target, job)
            if target.is_file() and recipe is not None:
                return VideoFile(path=target, recipe=recipe)
        return None

    def claim(self, job_id: str, *, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold a job's result among all processes of this user on this machine; see the port."""
        return hold_user_lock(f"fetch-{job_id}", timeout_s=timeout_s)

    def remove(self, job: Job) -> list[Path]:
        """Delete a job's video and its recipe. Idempotent.

        They are in the folder, or where the job's record says if the folder was another one then. A
        file without the job's own name is not deleted.

        Raises:
            ProcessingError: when a file cannot be deleted.
        """
        places = self._candidate_paths(job)
        found = self.find(job)
        place = places[0] if found is None else found.path
        stored = Path(job.result_video) if job.result_video else place
        named = dict.fromkeys(
            [place, stored] if stored.name in {p.name for p in places} else [place]
        )
        videos = [video for video in named if _read_recipe(video, job) is not None]
        # The video first: a video never lacks its recipe.
        return [
            path
            for video in videos
            for path in (video, video.with_suffix(".json"))
            if _delete(path)
        ]

    def remove_partials(self) -> None:
        """Remove the temporary files of writers that have died.

        A live writer holds a lock on its file. Files younger than a minute are left alone in any
        case.
        """
        remove_leftovers(self._folder.absolute())

    def _candidate_paths(self, job: Job) -> tuple[Path, Path]:
        """Return the names that the job's video may have, the preferred first."""
        start = self._folder.absolute() / _build_stem(job)
        short, long = _replace_unsafe(job.job_id[:8]), _replace_unsafe(job.job_id)
        ends = short, f"{long}-2" if long == short else long
        first, second = (start.with_name(f"{start.name}-{end}.mp4") for end in ends)
        return first, second

    def _choose_path(self, job: Job) -> Path:
        """Return the first name that is free, or that the job's saved video has."""
        first, second = self._candidate_paths(job)
        beside = first.with_suffix(".json")
        if beside.is_file():
            is_ours = bool(_read_recipe(first, job)) or beside.stat().st_size <= EMPTY_RECIPE_BYTES
            return first if is_ours else second
        return second if first.is_file() else first


def _delete(path: Path) -> bool:
    """Delete a file; return False when it is not there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ProcessingError(
            f"{path} cannot be deleted: {error.strerror or error}", details={"path": str(path)}
        ) from error
    return True


def _read_recipe(target: Path, job: Job) -> dict[str, Any] | None:
    """Return the recipe beside a video, empty when it is gone or damaged.

    None for a file that is another job's, or another program's.
    """
    try:
        recipe = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(recipe, dict) or (recipe and "tiomagic_recipe" not in recipe):
        return None
    return recipe if recipe.get("job_id", job.job_id) == job.job_id else None


def _build_stem(job: Job) -> str:
    time = job.creation_time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return "-".join(map(_replace_unsafe, (job.model, job.feature.value, time)))


def _replace_unsafe(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", word)
