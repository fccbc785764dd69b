"""The method of ``tm`` that continues a video, and what it takes from the video's own recipe."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from tiomagic.handle.handle import JobHandle
    from tiomagic.results.pictures import HasRecord
    from tiomagic.types import ImageToVideoSettings, ModelName, VideoInput
    from tiomagic.wiring.session import Session
    from tiomagic_domain.media import VideoFile


class ContinuationMethods(ABC):
    """The method of ``tm`` for a shot that goes on."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    @abstractmethod
    def _generate(
        self,
        feature: str,
        model: str | None,
        required_args: Mapping[str, Any] | None,
        arguments: dict[str, Any],
    ) -> JobHandle:
        """Run a call of a feature."""

    def extend(
        self,
        video: VideoInput | VideoFile | HasRecord,
        prompt: str | None = None,
        *,
        model: ModelName | None = None,
        **arguments: Unpack[ImageToVideoSettings],
    ) -> JobHandle:
        """Continue a video: the result is one video, the old part and then the new one.

        It is a job of image to video with the argument ``continued_video``. A model that takes
        several frames of the end goes on with their motion; any other sees the last frame alone. No
        frame is doubled. The result has the old part's frame rate and the new part's size, which is
        the old one's if the model makes it. ``job.facts["seam"]`` says how well the parts meet:
        ``rmse``, the root mean square error between the two frames at the seam (0-255);
        ``median_step_rmse``, the median between neighbouring frames elsewhere; and their
        ``ratio``, about 1 where nothing is seen.

        Args:
            video: A job's handle or id, or a video: a path, an address, bytes, or its frames.
            prompt: What happens next; None for the prompt that the video was made with.
            model: Who continues it; None for the model that made it, else the provider's default.
            **arguments: As for :meth:`image_to_video`. ``seconds`` is the length of the new part
                alone; ``num_frames`` counts the frames that the model sees of the old one, too.

        Raises:
            ResourceNotFoundError: when there is no such job or file, or the job has no video.
            UnknownModelError: when the model cannot begin with a picture; names those that can.
            ValidationError: when an argument is refused, such as more seconds than the model adds
                at once; continue the result again for more.
            TioMagicError: as :meth:`image_to_video`.
        """
        from tiomagic.display.next_steps import advise_in_python

        with advise_in_python():
            found = find_continued(self.session, video, prompt=prompt, model=model)
        named = {"prompt": found.prompt, "continued_video": found.video}
        return self._generate("image_to_video", found.model, None, {**arguments, **named})


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuedVideo:
    """What is continued, and how."""

    video: Any
    """What a media reader takes."""
    prompt: str | None
    """None where nobody says one."""
    model: str | None
    """None for the provider's default."""


def find_continued(
    session: Session, video: Any, *, prompt: str | None, model: str | None
) -> ContinuedVideo:
    """Return the video that is to be continued, with the prompt and the model that it had.

    Args:
        session: With the jobs.
        video: A job's handle or id, or what a media reader takes for a video.
        prompt: Of the caller; None for the video's own.
        model: Of the caller; None for the video's own.

    Raises:
        ResourceNotFoundError: when there is no such job, or it has no video.
    """
    from tiomagic.results.pictures import video_of
    from tiomagic_domain.media import VideoFile
    from tiomagic_domain.usecases.job_ids import find_job_id

    recipe: Mapping[str, Any] = {}
    if isinstance(video, VideoFile):
        video = video.path
    job = getattr(video, "record", None)
    if job is None and isinstance(video, str) and not _is_media(video):
        job = session.generation.get(find_job_id(session.container.repository(), video))
    if job is not None:
        video, recipe = video_of(job), {"model": job.model, "required_args": job.required_args}
    elif isinstance(video, str | Path):
        recipe = _read_recipe(video)
    own = dict(recipe.get("required_args", {})).get("prompt")
    return ContinuedVideo(
        video=video, prompt=own if prompt is None else prompt, model=model or recipe.get("model")
    )


def _is_media(text: str) -> bool:
    """Return whether a text is an address or a path, and not the id of a job."""
    if "://" in text or text[:5].lower() == "data:":
        return True
    path = Path(text)
    with suppress(OSError, ValueError):
        if path.expanduser().exists():
            return True
    return bool(path.suffix) or path.name != text


def _read_recipe(video: str | Path) -> Mapping[str, Any]:
    """Return the recipe inside a video on this machine; empty where it has none."""
    from tiomagic.results import recipes
    from tiomagic_domain.catalogue import models
    from tiomagic_domain.errors import TioMagicError

    with suppress(TioMagicError, OSError, ValueError):
        recipe = recipes.of_file(video)
        # A model that is not known here has no say.
        return recipe if recipe["model"] in models() else {**recipe, "model": None}
    return {}
