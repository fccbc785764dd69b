"""Pictures of a job's video, and files for other programs: where they go, under which names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from tiomagic.results.recipes import is_file_name
from tiomagic_domain.errors import Problem, ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.suggestions import closest, shorten_repr

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

Conversion = Literal["gif", "webp", "png", "frames", "prores", "ffv1"]
"""What a video can be made into."""

FILE_SUFFIXES: Final[Mapping[Conversion, str]] = MappingProxyType(
    {"gif": ".gif", "webp": ".webp", "png": ".png", "frames": "", "prores": ".mov", "ffv1": ".mkv"}
)
"""The ending of each; frames are a folder."""

OutputPath: TypeAlias = str | Path | None
"""Where a file goes: its name, a folder that is there, or None for beside the video."""

SHEET_FRAMES: Final = 12
SHEET_COLUMNS: Final = 4
FRAME_WIDTH: Final = 240
"""Pixels of a frame on a sheet."""


def contact_sheet(
    session: Session,
    source: Job | str | Path,
    path: OutputPath,
    *,
    frames: int,
    columns: int,
    width: int,
) -> Path:
    """Write a contact sheet; see :meth:`tiomagic.TioMagic.contact_sheet`."""
    video, title = _found(session, source)
    target = _target(path, source, video, "_sheet", ".png")
    return session.pictures.contact_sheet(
        video, target, count=frames, columns=columns, width=width, title=title
    )


def poster(session: Session, source: Job | str | Path, path: OutputPath) -> Path:
    """Write the middle frame; see :meth:`tiomagic.TioMagic.poster`."""
    video, _ = _found(session, source)
    return session.pictures.poster(video, _target(path, source, video, "_poster", ".png"))


def convert(
    session: Session,
    source: Job | str | Path,
    to: str,
    path: OutputPath,
    *,
    width: int | None = None,
    frame: int = -1,
) -> Path:
    """Write a video in another format; see :meth:`tiomagic.TioMagic.convert`."""
    ending = _ending(to)
    video, _ = _found(session, source)
    named = {"png": "_last" if frame == -1 else f"_{frame}", "frames": "_frames"}.get(to, "")
    target = _target(path, source, video, named, ending)
    if to == "frames":
        return session.pictures.frames(video, target, width=width)
    return session.pictures.export(video, target, width=width, frame=frame)


def _ending(to: str) -> str:
    for name, ending in FILE_SUFFIXES.items():
        if name == to:
            return ending
    known = get_args(Conversion)
    problem = Problem(
        field="to",
        message=f"must be one of {', '.join(known)}",
        given=shorten_repr(to),
        nearest=closest(to, known),
    )
    raise ValidationError.of([problem], subject="a conversion of a video")


def _found(session: Session, source: Job | str | Path) -> tuple[Path, str]:
    """Return a video that is on this machine, and what stands over its pictures.

    Raises:
        ResourceNotFoundError: when there is no such job or file, or the job has no video.
    """
    if not isinstance(source, Job) and is_file_name(source):
        video = Path(source).expanduser().absolute()
        if not video.is_file():
            raise ResourceNotFoundError(f"there is no file {video}", details={"path": str(video)})
        return video, video.stem
    job = source if isinstance(source, Job) else session.generation.get(str(source))
    return video_of(job), title_of(job)


def video_of(job: Job) -> Path:
    """Return the video of a job.

    Raises:
        ResourceNotFoundError: when it has none, or it is no longer where it was.
    """
    details = {"job_id": job.job_id, "status": job.status.value}
    if job.result_video is None:
        reason = f": {job.error}" if job.error else ""
        raise ResourceNotFoundError(
            f"job {job.job_id} has no video, it is {job.status}{reason}",
            details=details,
            code="no_video",
        )
    video = Path(job.result_video)
    if not video.is_file():
        raise ResourceNotFoundError(
            f"the video of job {job.job_id} is gone: there is no file {video}",
            details={**details, "path": str(video)},
            code="no_video",
        )
    return video


def title_of(job: Job) -> str:
    """Return one line about a job."""
    parts = [job.model, str(job.arguments.get("prompt", ""))]
    seed = job.arguments.get("seed")
    return " · ".join([part for part in parts if part] + ([] if seed is None else [f"seed {seed}"]))


def _target(
    path: OutputPath, source: Job | str | Path, video: Path, suffix: str, ending: str
) -> Path:
    """Return where a file goes.

    A name that the caller gives is replaced, as is one that has a job's id in it. Beside a file
    that was named, whatever is there may be another program's: it stays, and ours has a number.

    Raises:
        ValidationError: when its name ends otherwise than its format.
    """
    own = f"{video.stem}{suffix}{ending}"
    named = not isinstance(source, Job) and is_file_name(source)
    if path is None:
        return _free(video.with_name(own)) if named else video.with_name(own)
    target = Path(path).expanduser().absolute()
    # Frames go into the folder that is named: the writer refuses one that is not empty.
    if target.is_dir() and ending:
        return _free(target / own) if named else target / own
    if ending and target.suffix.lower() != ending:
        problem = Problem(
            field="path", message=f"must end in {ending}", given=shorten_repr(str(path))
        )
        raise ValidationError.of([problem], subject="the file to be written")
    return target


def _free(target: Path) -> Path:
    """Return a name that nothing has: the given one, or with the first number that is free."""
    found, number = target, 2
    while found.exists() or found.is_symlink():
        found = target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1
    return found
