"""What a provider gets to run: a validated job with its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.continuation import (
    CONTINUATION_ARGUMENTS,
    CONTINUED_VIDEO_ARGUMENT,
    LOOP_ARGUMENT,
)
from tiomagic_domain.features import (
    Feature,
    ImageToVideoInputs,
    Inputs,
    InterpolateInputs,
    Keyframe,
    MotionInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media
from tiomagic_domain.schema.keyframes import (
    FIRST,
    KEYFRAMES,
    LAST,
    PICTURE_FRAMES,
    KeyframeMoments,
    find_end_frames,
)
from tiomagic_domain.schema.nested_media import argument_of


@dataclass(frozen=True, kw_only=True)
class Request:
    """A validated job with its inputs: everything that a call passes to the model."""

    job: Job
    card: ModelCard
    media: Mapping[str, Media] = field(default_factory=dict)
    """The pictures and videos by their place: ``image``, ``keyframes[1].image``; of a
    ``continued_video`` only the end, where the model takes more of it than a picture."""
    objects: Mapping[str, object] = field(default_factory=dict)
    """Arguments that are objects of this process; the job has a description of each."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Where the provider has uploaded pictures and videos, by their place. In no record."""
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The https addresses that pictures and videos were given by, by their place. In no record: the
    request of a stored job has none."""

    def with_uploads(self, upload: Callable[[Media], str]) -> Self:
        """Return the request with an address for each picture and video, each uploaded once.

        A service that takes media as bytes needs no address: ``media[name].read_bytes()``.

        Args:
            upload: Puts a file where the service reads it, and returns its URL.
        """
        files = {media.sha256: media for media in self.media.values()}
        urls = {digest: upload(media) for digest, media in files.items()}
        return replace(self, urls={name: urls[m.sha256] for name, m in self.media.items()})

    @property
    def feature(self) -> Feature:
        """What is asked for."""
        return self.job.feature

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The optional arguments that are not media, with every default and the seed.

        In place of keyframes it has the frames of all pictures, the ends included, as
        ``picture_frames``: where they are changes what a run takes. So it has with a last picture
        of pose guidance.
        """
        left_out = {*CONTINUATION_ARGUMENTS, KEYFRAMES, *map(argument_of, self.media)}
        plain = {k: v for k, v in self.job.optional_args.items() if k not in left_out}
        if self._moments is not None:
            plain[PICTURE_FRAMES] = self._moments.picture_frames(self.job.arguments)
        elif self.feature is Feature.POSE_GUIDANCE and LAST in self.media:
            plain[PICTURE_FRAMES] = find_end_frames(self.job.arguments)
        return {**plain, **self.objects}

    @cached_property
    def inputs(self) -> Inputs:
        """The feature's inputs, typed."""
        prompt = str(self.job.required_args["prompt"])
        match self.feature:
            case Feature.TEXT_TO_VIDEO:
                return TextToVideoInputs(prompt=prompt)
            case Feature.IMAGE_TO_VIDEO:
                return ImageToVideoInputs(
                    prompt=prompt,
                    image=self.media["image"],
                    context=self.media.get(CONTINUED_VIDEO_ARGUMENT),
                )
            case Feature.INTERPOLATE:
                return InterpolateInputs(
                    prompt=prompt,
                    first_frame=self.media.get(FIRST),
                    last_frame=self.media.get(LAST),
                    keyframes=tuple(
                        Keyframe(frame=frame, image=self.media[f"{KEYFRAMES}[{index}].image"])
                        for index, frame in enumerate(self._keyframes())
                    ),
                )
            case Feature.POSE_GUIDANCE:
                motion = {name: self.media.get(name) for name in ("guiding_video", "pose_video")}
                if "image" not in self.media:
                    return MotionInputs(prompt=prompt, **motion)
                return PoseGuidanceInputs(
                    prompt=prompt,
                    image=self.media["image"],
                    **motion,
                    control_video=self.media.get("control_video"),
                    last_frame=self.media.get("last_frame"),
                    background_video=self.media.get("background_video"),
                    mask_video=self.media.get("mask_video"),
                )

    @property
    def overlap_frames(self) -> int:
        """Frames that the result begins with and the continued video ends with; else 0."""
        context = self.media.get(CONTINUED_VIDEO_ARGUMENT)
        if context is not None:
            return context.frames
        return 1 if CONTINUED_VIDEO_ARGUMENT in self.job.optional_args else 0

    @property
    def is_loop(self) -> bool:
        """True when the result is to repeat without a cut."""
        return bool(self.job.optional_args.get(LOOP_ARGUMENT))

    @property
    def doubled_frames(self) -> int:
        """Frames of the model's clip that the result does not show, because it has them already."""
        ends_twice = self.is_loop and self.card.shows_last_frame
        return self.overlap_frames + (1 if ends_twice else 0)

    @property
    def _moments(self) -> KeyframeMoments | None:
        return self.card.schema(self.feature).keyframes

    def _keyframes(self) -> list[int]:
        return [] if self._moments is None else self._moments.resolve(self.job.arguments)
