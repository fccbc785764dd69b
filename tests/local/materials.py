"""Pictures, videos and requests for tests of the local adapter."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.encode.mp4 import write_mp4

SMALL = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 2, "seed": 7}
"""The smallest call that has everything: two latent frames and two steps."""


class Materials:
    """Makes inputs in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def picture(self, size: tuple[int, int] = (48, 64), *, colour: str = "orange") -> Media:
        """Return a picture of a disc on a plain ground."""
        return self.keep(disc(size, colour))

    def keep(self, image: Image.Image) -> Media:
        """Return an image as a kept input."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        path = self._folder / f"{uuid.uuid4()}.png"
        path.write_bytes(buffer.getvalue())
        return Media(
            kind=MediaKind.IMAGE,
            sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
            path=path,
            media_type="image/png",
            width=image.width,
            height=image.height,
        )

    def video(self, frames: int = 9, size: tuple[int, int] = (64, 48)) -> Media:
        """Return a video whose frames differ from each other."""
        pictures = [disc(size, (20 * index + 40, 0, 0)) for index in range(frames)]
        return self.film(np.stack([np.asarray(picture) for picture in pictures]))

    def film(self, frames: Any) -> Media:
        """Return frames, uint8 (T, H, W, 3), as a kept video."""
        path = self._folder / f"{uuid.uuid4()}.mp4"
        write_mp4(path, frames, fps=8, recipe={})
        return Media(
            kind=MediaKind.VIDEO,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            path=path,
            media_type="video/mp4",
            width=frames.shape[2],
            height=frames.shape[1],
            frames=len(frames),
            fps=8.0,
        )

    def media(self, feature: Feature) -> dict[str, Media]:
        """Return the pictures and videos that a feature needs."""
        match feature:
            case Feature.TEXT_TO_VIDEO:
                return {}
            case Feature.IMAGE_TO_VIDEO:
                return {"image": self.picture()}
            case Feature.INTERPOLATE:
                return {"first_frame": self.picture(), "last_frame": self.picture(colour="blue")}
            case Feature.POSE_GUIDANCE:
                return {"image": self.picture(), "pose_video": self.video()}

    def request(
        self,
        model: str = "wan2.1-t2v-1.3b",
        feature: Feature = Feature.TEXT_TO_VIDEO,
        *,
        prompt: str = "a fox runs",
        media: Mapping[str, Media] | None = None,
        keyframes: Mapping[int, Media] | None = None,
        **changes: Any,
    ) -> Request:
        """Return a request for the smallest call, with changed settings.

        Args:
            model: Which one.
            feature: What is made.
            prompt: What it shows.
            media: Inputs by name; None for those that the feature needs.
            keyframes: Pictures between the ends, by their frames.
            **changes: Settings.
        """
        given = self.media(feature) if media is None else dict(media)
        settings = settings_of(model, feature, **changes)
        required = {parameter.name for parameter in INPUTS[feature]}
        values = {**settings, "prompt": prompt}
        values |= {name: item.to_reference() for name, item in given.items()}
        for index, (frame, picture) in enumerate((keyframes or {}).items()):
            given[f"keyframes[{index}].image"] = picture
            entry = {"image": picture.to_reference(), "frame": frame}
            values["keyframes"] = [*values.get("keyframes", ()), entry]
        now = datetime.now(UTC)
        job = Job(
            job_id=str(uuid.uuid4()),
            feature=feature,
            model=model,
            provider="local",
            creation_time=now,
            last_updated=now,
            required_args={k: v for k, v in values.items() if k in required},
            optional_args={k: v for k, v in values.items() if k not in required},
        )
        return Request(job=job, card=find_model(model, feature), media=given)


def settings_of(model: str, feature: Feature, **changes: Any) -> dict[str, Any]:
    """Return every setting of a model for the smallest call."""
    schema = find_model(model, feature).schema(feature)
    settled = [p for p in schema.optional if p.default is not UNSET]
    defaults = {p.name: p.default for p in settled}
    return {**defaults, **SMALL, **changes}


def disc(size: tuple[int, int], colour: Any, ground: Any = "white") -> Image.Image:
    """Return a picture of the largest disc that fits, in the middle of a plain ground."""
    image = Image.new("RGB", size, ground)
    radius = min(size) / 2 - 1
    x, y = size[0] / 2, size[1] / 2
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def engine_of(runtime: Runtime, model: str, feature: Feature) -> Any:
    """Return a loaded engine, to be called outside of a turn."""
    card, settings = find_model(model, feature), settings_of(model, feature)
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        return loaded.engine


class CallRecorder:
    """Stands in front of a pipeline and remembers what it is called with.

    Attributes:
        calls: The arguments of each call.
    """

    def __init__(self, pipeline: Any) -> None:
        self.__dict__["calls"] = []
        self.__dict__["pipeline"] = pipeline

    def __call__(self, **arguments: Any) -> Any:
        """Remember the arguments and make the call."""
        self.calls.append(arguments)
        return self.pipeline(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["pipeline"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["pipeline"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["pipeline"], name)
