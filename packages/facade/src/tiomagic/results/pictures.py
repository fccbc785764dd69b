"""The methods of ``tm`` and of a job's handle that make pictures and files of a video."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    Protocol,
    TypeAlias,
    get_args,
)

if TYPE_CHECKING:
    from tiomagic.types import VideoInput
    from tiomagic.wiring.session import Session
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.ports.media_reader import MediaReader

Conversion = Literal["mp4", "gif", "webp", "png", "frames", "prores", "ffv1"]
"""What a video can be made into."""

FILE_SUFFIXES: Final[Mapping[Conversion, str]] = MappingProxyType(
    {
        "mp4": ".mp4",
        "gif": ".gif",
        "webp": ".webp",
        "png": ".png",
        "frames": "",
        "prores": ".mov",
        "ffv1": ".mkv",
    }
)
"""The ending of each; frames are a folder."""

OutputPath: TypeAlias = str | Path | None
"""Where a file goes: its name, a folder that is there, or None for beside the video."""


class HasSession(Protocol):
    """``tm`` or a job's handle."""

    @property
    def session(self) -> Session:
        """What it stands on."""
        ...


class HasRecord(Protocol):
    """A job's handle."""

    @property
    def record(self) -> Job:
        """The job as it is stored."""
        ...


class PictureMethods(ABC):
    """Pictures and exports of any video on this machine.

    Each method takes a job's handle, a job's id or the path of an mp4, and a ``path``: the file to
    write, a folder that is there, or None for a file beside the video. It returns the path.

    Each raises ``ResourceNotFoundError`` when there is no such job or file, or the job has no
    video; ``ValidationError`` when an argument is refused or the file is no video; and
    ``ProcessingError`` when nothing can be written.
    """

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def contact_sheet(
        self: HasSession,
        job: HasRecord | str | Path,
        path: OutputPath = None,
        *,
        frames: int = 12,
        columns: int = 4,
        width: int = 240,
        mask: VideoInput | None = None,
    ) -> Path:
        """Write a PNG of frames spread over the video, each with its time.

        Of a video that was continued or loops, the frames on both sides of the seam are among them,
        and the second one is marked. So are the frames of its keyframes. For a file, its recipe
        says where they are.

        Args:
            job: Which video.
            path: Where to.
            frames: How many, the first and the last among them; a shorter video gives all.
            columns: Frames in a row.
            width: Of each frame, in pixels.
            mask: What ``pose_guidance`` takes as ``mask_video``: its white is shown in red, to see
                what would be replaced. None for the video alone.
        """
        from tiomagic_domain.ports.pictures import ContactSheet

        source, record = find_video(self.session, job)
        target = place_beside(path, source, "_sheet", ".png", may_replace=record is not None)
        title = source.stem if record is None else title_of(record)
        sheet = ContactSheet(
            count=frames,
            columns=columns,
            width=width,
            title=title,
            mask=None if mask is None else read_mask(self.session.container.media(), mask),
            **(_find_marks_of_file(source) if record is None else _find_marks(record)),
        )
        return self.session.pictures.contact_sheet(source, target, sheet)

    def poster(self: HasSession, job: HasRecord | str | Path, path: OutputPath = None) -> Path:
        """Write the frame in the middle of the video as PNG, for a title or a thumbnail."""
        source, record = find_video(self.session, job)
        target = place_beside(path, source, "_poster", ".png", may_replace=record is not None)
        return self.session.pictures.poster(source, target)

    def last_frame(self: HasSession, job: HasRecord | str | Path, path: OutputPath = None) -> Path:
        """Write the last frame as PNG: give it to ``image_to_video`` and the shot goes on."""
        return PictureMethods.convert(self, job, "png", path)

    def convert(
        self: HasSession,
        job: HasRecord | str | Path,
        to: str,
        path: OutputPath = None,
        *,
        width: int | None = None,
        frame: int = -1,
    ) -> Path:
        """Write the video in another format.

        Args:
            job: Which video.
            to: ``mp4``, at another width; ``gif``; ``webp``, smaller and with all colours; ``png``,
                one frame; ``frames``, a folder of numbered PNG; ``prores``, a .mov for editors;
                ``ffv1``, a lossless .mkv.
            path: Where to.
            width: Pixels, the shape is kept; None for the video's own.
            frame: Which frame a ``png`` shows; negative counts from the end.
        """
        ending = _ending(to)
        source, record = find_video(self.session, job)
        named = {
            "mp4": f"_{width}" if width else "_copy",
            "png": "_last" if frame == -1 else f"_{frame}",
            "frames": "_frames",
        }.get(to, "")
        target = place_beside(path, source, named, ending, may_replace=record is not None)
        if to == "frames":
            return self.session.pictures.frames(source, target, width=width)
        return self.session.pictures.export(source, target, width=width, frame=frame)


class HandlePictures(ABC):
    """The same for a job's handle: its video, with the same errors."""

    @property
    @abstractmethod
    def record(self) -> Job:
        """The job as it is stored."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """What the handle stands on."""

    def contact_sheet(
        self, path: OutputPath = None, *, frames: int = 12, columns: int = 4, width: int = 240
    ) -> Path:
        """Write a PNG of frames with their times; see :meth:`tiomagic.TioMagic.contact_sheet`."""
        return PictureMethods.contact_sheet(
            self, self, path, frames=frames, columns=columns, width=width
        )

    def poster(self, path: OutputPath = None) -> Path:
        """Write the frame in the middle as PNG."""
        return PictureMethods.poster(self, self, path)

    def last_frame(self, path: OutputPath = None) -> Path:
        """Write the last frame as PNG, to continue from it."""
        return self.convert("png", path)

    def convert(
        self, to: str, path: OutputPath = None, *, width: int | None = None, frame: int = -1
    ) -> Path:
        """Write the video in another format; see :meth:`tiomagic.TioMagic.convert`."""
        return PictureMethods.convert(self, self, to, path, width=width, frame=frame)


def read_mask(reader: MediaReader, source: VideoInput) -> Path:
    """Return the file of a mask: a video, a folder of pictures, or one picture.

    Raises:
        ValidationError: when it is none of these.
    """
    from tiomagic_domain.errors import Problem, ValidationError
    from tiomagic_domain.media import MediaKind
    from tiomagic_domain.requests.preparation import read_media
    from tiomagic_domain.suggestions import shorten_repr

    try:
        return read_media(reader, source, MediaKind.VIDEO, still=True).path
    except ValidationError as error:
        problem = Problem(field="mask", message=error.message, given=shorten_repr(source))
        raise ValidationError.of([problem], subject="a picture of a video") from error


def _ending(to: str) -> str:
    from tiomagic_domain.errors import Problem, ValidationError
    from tiomagic_domain.suggestions import closest, shorten_repr

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


def find_video(session: Session, job: HasRecord | str | Path) -> tuple[Path, Job | None]:
    """Return a video that is on this machine, and its job; None for a file that was named.

    Raises:
        ResourceNotFoundError: when there is no such job or file, or the job has no video.
    """
    from tiomagic.results.recipes import is_file_name
    from tiomagic_domain.errors import ResourceNotFoundError
    from tiomagic_domain.usecases.job_ids import find_job_id

    if not isinstance(job, str | Path):
        return video_of(job.record), job.record
    if not (is_file_name(job) or Path(job).is_file()):
        record = session.generation.get(find_job_id(session.container.repository(), job))
        return video_of(record), record
    video = Path(job).expanduser().absolute()
    if not video.is_file():
        raise ResourceNotFoundError(f"there is no file {video}", details={"path": str(video)})
    return video, None


def video_of(job: Job) -> Path:
    """Return the video of a job.

    Raises:
        ResourceNotFoundError: when it has none, or it is no longer where it was.
    """
    from tiomagic_domain.advice import NextStep
    from tiomagic_domain.codes import ErrorCode
    from tiomagic_domain.errors import ResourceNotFoundError

    details = {"job_id": job.job_id, "status": job.status.value}
    if job.result_video is None:
        reason = f": {job.error}" if job.error else ""
        if not job.status.is_terminal:
            reason = f"; wait for its end, then {NextStep.CHECK_AGAIN.say(job_id=job.job_id)}"
        elif not reason:
            reason = f"; {NextStep.RUN_AGAIN.say(job_id=job.job_id)}"
        raise ResourceNotFoundError(
            f"job {job.job_id} has no video, it is {job.status}{reason}",
            details=details,
            code=ErrorCode.NO_VIDEO,
        )
    video = Path(job.result_video)
    if not video.is_file():
        raise ResourceNotFoundError(
            f"the video of job {job.job_id} is gone: there is no file {video}",
            details={**details, "path": str(video)},
            code=ErrorCode.NO_VIDEO,
        )
    return video


def find_seam(facts: object) -> Mapping[str, Any] | None:
    """Return the seam among the facts of a job or of a recipe, which may be untrusted."""
    from tiomagic_domain.lifecycle.finishing import SEAM_FACT

    seam = facts.get(SEAM_FACT) if isinstance(facts, Mapping) else None
    return seam if isinstance(seam, Mapping) and type(seam.get("frame")) is int else None


def _find_marks(job: Job) -> dict[str, Any]:
    """Return the seam and the keyframes of a job's video as a sheet takes them, if it has any."""
    from tiomagic_domain.catalogue import models

    seam = find_seam(job.facts)
    found: dict[str, Any] = {} if seam is None else {"seam": seam["frame"]}
    card = models().get(job.model)
    schema = None if card is None else card.features.get(job.feature)
    moments = None if schema is None else schema.keyframes
    keyframes = [] if moments is None else moments.resolve(job.arguments)
    return {**found, **({"keyframes": keyframes} if keyframes else {})}


def _find_marks_of_file(video: Path) -> dict[str, Any]:
    """Return the same for a file, as its recipe says; nothing for a file without one."""
    from tiomagic.results.recipes import of_file
    from tiomagic_domain.catalogue import models
    from tiomagic_domain.errors import TioMagicError
    from tiomagic_domain.features import Feature

    try:
        recipe = of_file(video)
    except TioMagicError:
        return {}  # Any other video, or a recipe of another kind.
    seam = find_seam(recipe.get("facts"))
    found: dict[str, Any] = {} if seam is None else {"seam": seam["frame"]}
    card = models().get(recipe["model"])
    schema = None if card is None else card.features.get(Feature(recipe["feature"]))
    if schema is None or schema.keyframes is None:
        return found
    arguments = {**recipe["required_args"], **recipe["optional_args"]}
    try:
        keyframes = schema.keyframes.resolve(arguments)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        return found  # A file of somebody else may have anything in the place of moments.
    return {**found, "keyframes": keyframes}


def title_of(job: Job) -> str:
    """Return one line about a job."""
    parts = [job.model, str(job.arguments.get("prompt", ""))]
    seed = job.arguments.get("seed")
    return " · ".join([part for part in parts if part] + ([] if seed is None else [f"seed {seed}"]))


def place_beside(
    path: OutputPath, video: Path, suffix: str, ending: str, *, may_replace: bool
) -> Path:
    """Return where a file goes.

    A name that the caller gives is replaced, as is one that has a job's id in it. Beside a file
    that was named, whatever is there may be another program's: it stays, and ours has a number.

    Raises:
        ValidationError: when its name ends otherwise than its format, or it is the video itself.
    """
    from tiomagic_domain.errors import Problem, ValidationError
    from tiomagic_domain.suggestions import shorten_repr

    own = f"{video.stem}{suffix}{ending}"
    target = video.with_name(own) if path is None else Path(path).expanduser().absolute()
    # Frames go into the folder that is named: the writer refuses one that is not empty.
    if path is not None and target.is_dir() and ending:
        path, target = None, target / own
    if path is None:
        return target if may_replace else _free(target)
    message = ""
    if ending and target.suffix.lower() != ending:
        message = f"must end in {ending}"
    elif target == video:
        message = "must be another file than the video"
    if message:
        problem = Problem(field="path", message=message, given=shorten_repr(str(path)))
        raise ValidationError.of([problem], subject="the file to be written")
    return target


def _free(target: Path) -> Path:
    """Return a name that nothing has: the given one, or with the first number that is free."""
    found, number = target, 2
    while found.exists() or found.is_symlink():
        found = target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1
    return found
