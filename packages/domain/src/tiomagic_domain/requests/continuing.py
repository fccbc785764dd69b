"""Turns a call for a shot that goes on into one that a model knows.

::

    image_to_video(continued_video=…)          its end is the picture; the result is joined to it
    image_to_video(image, loop=True)      ──►  interpolate(first_frame=image, loop=True)
    interpolate(first_frame, loop=True)   ──►  interpolate with first_frame as last_frame, too

A model that takes several frames of the end sees the motion and goes on with it; the others see the
last frame alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tiomagic_domain.catalogue import models_for
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.continuation import (
    CONTINUED_VIDEO_ARGUMENT,
    LOOP_ARGUMENT,
    wants_loop,
)
from tiomagic_domain.errors import (
    ConfigurationError,
    Problem,
    ProblemKind,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.video_joiner import VideoJoiner
from tiomagic_domain.requests.asked_sizes import least_frames, rate_of
from tiomagic_domain.requests.defaults import UNSEEN_CUT, cut_of
from tiomagic_domain.schema.kinds import Kind
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import list_names, shorten_repr

OVERLAP_FRAMES_FACT: Final = "overlap_frames"
"""Fact of a job: frames that its model sees of the continued video, and begins with."""
ENDS: Final = ("first_frame", "last_frame")


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The arguments of a call whose shot goes on."""

    arguments: Mapping[str, object]
    """Of the call, with the pictures that it leaves to the video or the loop."""
    problems: tuple[Problem, ...] = ()
    unread: frozenset[str] = frozenset()
    """Inputs that the problems are about, so that nobody misses them as well."""
    source: Media | None = None
    """The continued video; None for a call without one."""
    context: Media | None = None
    """The end of it as a video of its own, for a model that takes more than a picture."""

    @property
    def overlap(self) -> int:
        """Frames of the continued video that the model begins with; 0 without one."""
        if self.source is None:
            return 0
        return 1 if self.context is None else self.context.frames


def feature_to_serve(
    name: object,
    feature: Feature,
    arguments: Mapping[str, object],
    *,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> Feature:
    """Return what the model of a call has to do: a loop of a picture is an interpolation.

    A model that does not interpolate is asked for the feature of the call, and
    :func:`loop_as_interpolation` says then what it lacks.

    Args:
        name: Of the model, as the caller gave it.
        feature: Of the call.
        arguments: Of the caller, not checked yet.
        catalogue: The models; None for every known one.
    """
    if feature is not Feature.IMAGE_TO_VIDEO or not wants_loop(arguments):
        return feature
    able = models_for(Feature.INTERPOLATE, catalogue=catalogue)
    return Feature.INTERPOLATE if name in able else feature


def loop_as_interpolation(
    feature: Feature,
    card: ModelCard,
    arguments: Mapping[str, object],
    *,
    runs: Callable[[ModelCard], bool] | None = None,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> tuple[Feature, Mapping[str, object]]:
    """Return the call that makes a loop of a picture; any other call as it is.

    Args:
        feature: Of the call.
        card: The model.
        arguments: Of the caller, not checked yet.
        runs: Says whether the provider can run a model.
        catalogue: The models to name instead; None for every known one.

    Raises:
        ValidationError: when the model cannot end with a given picture; names those that can.
    """
    if feature is Feature.INTERPOLATE or not wants_loop(arguments):
        return feature, arguments
    able = models_for(Feature.INTERPOLATE, runs=runs, catalogue=catalogue)
    if feature is not Feature.IMAGE_TO_VIDEO:
        message = "is for image_to_video and interpolate: a loop begins and ends with a picture"
        raise _refused(message, feature, card)
    if CONTINUED_VIDEO_ARGUMENT in arguments:
        message = "and continued_video are not for one call: a shot that goes on does not return"
        raise _refused(message, feature, card)
    if Feature.INTERPOLATE not in card.features:
        message = (
            f"{card.name} cannot end with a given picture, so it makes no loop. "
            f"Models that can: {list_names(able)}"
        )
        raise _refused(message, feature, card)
    has_picture = any(arguments.get(name) is not None for name in ("image", ENDS[0]))
    if not has_picture and feature in card.features:
        return feature, arguments  # What is missing has the name of this feature.
    left = {name: value for name, value in arguments.items() if name != "image"}
    first = {} if "image" not in arguments else {ENDS[0]: arguments["image"]}
    return Feature.INTERPOLATE, {**left, **first}


def _refused(message: str, feature: Feature, card: ModelCard) -> ValidationError:
    problem = Problem(field=LOOP_ARGUMENT, message=message, given="True")
    return ValidationError.of([problem], subject=f"{feature.value} with {card.name}")


class Continuations:
    """Finds the pictures that a call leaves to a video or a loop.

    Args:
        media: Reads the continued video, and keeps its end.
        joiner: Takes the end of it; None where videos cannot be joined.
    """

    def __init__(self, media: MediaReader, joiner: VideoJoiner | None) -> None:
        self._media = media
        self._joiner = joiner

    def resolve(
        self, feature: Feature, card: ModelCard, arguments: Mapping[str, object]
    ) -> Continuation:
        """Return a call with its pictures.

        Args:
            feature: Of the call.
            card: The model.
            arguments: Of the caller, not checked yet.

        Raises:
            ConfigurationError: when videos cannot be joined here.
            ProcessingError: when the end of the video cannot be kept.
        """
        if feature is Feature.INTERPOLATE and wants_loop(arguments):
            return _close(arguments)
        if feature is not Feature.IMAGE_TO_VIDEO or CONTINUED_VIDEO_ARGUMENT not in arguments:
            return Continuation(arguments=arguments)
        given = arguments[CONTINUED_VIDEO_ARGUMENT]
        picture = arguments.get("image")
        problems = []
        # A recipe names both: its picture is the one that was taken of the video.
        if picture is not None and not isinstance(picture, Mapping):
            message = "is taken from continued_video; leave it out"
            problems.append(Problem(field="image", message=message, given=shorten_repr(picture)))
        try:
            source = self._open(given)
        except (ValidationError, ResourceNotFoundError) as error:
            field, shown = CONTINUED_VIDEO_ARGUMENT, shorten_repr(given)
            problems.append(Problem(field=field, message=error.message, given=shown))
            unread = frozenset({CONTINUED_VIDEO_ARGUMENT, "image"})
            if arguments.get("prompt") is None:
                unread |= {"prompt"}  # A video that can be read may bring its own.
            left = {name: value for name, value in arguments.items() if name not in unread}
            return Continuation(arguments=left, problems=tuple(problems), unread=unread)
        image, context = self._ending(source, card, rate_of(card, feature, arguments))
        problems += _find_short(card, arguments, 1 if context is None else context.frames)
        known = {CONTINUED_VIDEO_ARGUMENT: source.to_reference(), "image": image.to_reference()}
        return Continuation(
            arguments={**arguments, **known},
            problems=tuple(problems),
            source=source,
            context=context,
        )

    def restore(
        self, source: Media, card: ModelCard, arguments: Mapping[str, object]
    ) -> Continuation:
        """Return the continuation of a stored job.

        Args:
            source: The continued video.
            card: The model.
            arguments: Of the job.

        Raises:
            ConfigurationError, ProcessingError: as ``resolve``.
        """
        fps = rate_of(card, Feature.IMAGE_TO_VIDEO, arguments)
        _, context = self._ending(source, card, fps)
        return Continuation(arguments=arguments, source=source, context=context)

    def _open(self, given: object) -> Media:
        if isinstance(given, Mapping):
            return self._media.find(given)
        return self._media.read(given, MediaKind.VIDEO)

    def _ending(self, source: Media, card: ModelCard, fps: float) -> tuple[Media, Media | None]:
        """Return the first picture of what is made, and the frames that it begins with."""
        if self._joiner is None:
            raise ConfigurationError("these parts cannot continue a video: they lack a joiner")
        count = count_context(card, card.schema(Feature.IMAGE_TO_VIDEO), source, fps)
        frames = self._joiner.read_ending(source, count=count, fps=fps)
        name = source.name and f"end of {source.name}"
        image = replace(self._media.read(frames[0], MediaKind.IMAGE), name=name)
        if count == 1:
            return image, None
        return image, replace(self._media.read(frames, MediaKind.VIDEO), name=name)


def count_context(card: ModelCard, schema: Schema, source: Media, fps: float) -> int:
    """Return how many frames of a video's end a model takes: all that it can, or that there are.

    Args:
        card: The model.
        schema: Of image to video; several frames are of the form of its ``num_frames``.
        source: The video.
        fps: Frames a second that the model makes.
    """
    there = source.frames if not source.fps else int(source.frames * fps / source.fps)
    most = min(card.context_frames, max(there, 1))
    step = schema["num_frames"].multiple_of or 1 if "num_frames" in schema else 1
    return 1 + (most - 1) // step * step


def describe_joining(source: Media, card: ModelCard, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what becomes of a continued video, whose size and rate the model may not make.

    Args:
        source: The video.
        card: The model.
        values: Of the call, validated, with the size of the new part.
    """
    size, own = (values.get("width"), values.get("height")), (source.width, source.height)
    if isinstance(size[0], int) and isinstance(size[1], int) and size != own:
        part, side = cut_of(own, (size[0], size[1]))
        cut = f", and {100 * part:.0f} % of its {side} is cut off" if part > UNSEEN_CUT else ""
        yield (
            f"{CONTINUED_VIDEO_ARGUMENT}: is scaled from {own[0]}x{own[1]} to {size[0]}x{size[1]}, "
            f"the size of the new part{cut}"
        )
    made = rate_of(card, Feature.IMAGE_TO_VIDEO, values)
    # The rate of a file is a fraction, and a few digits of it are kept.
    if source.fps and not math.isclose(source.fps, made, rel_tol=1e-3):
        yield (
            f"{CONTINUED_VIDEO_ARGUMENT}: has {source.fps:g} frames a second; the new part is made "
            f"at {made:g} and shown at {source.fps:g}, at its own pace"
        )


def _find_short(card: ModelCard, arguments: Mapping[str, object], overlap: int) -> list[Problem]:
    """Return the problem of a call that has no frame after those of the continued video."""
    schema, given = card.schema(Feature.IMAGE_TO_VIDEO), arguments.get("num_frames")
    if "num_frames" not in schema or schema["num_frames"].problem(given) is not None:
        return []
    least, number = least_frames(schema["num_frames"], overlap), schema["num_frames"].check(given)
    if not isinstance(number, int) or number >= least:
        return []
    message = (
        f"must be {least} or more: the first {overlap} are the end of the continued video; "
        f"nearest: {least}"
    )
    return [Problem(field="num_frames", message=message, given=str(number), nearest=least)]


def _close(arguments: Mapping[str, object]) -> Continuation:
    """Return the call of a loop: its first picture is its last one, too; given as either."""
    first, last = (arguments.get(name) for name in ENDS)
    if first is None and last is not None:
        return Continuation(arguments={**arguments, ENDS[0]: last})
    if first is None:
        message = "is needed: the picture that the loop begins and ends with"
        problem = Problem(
            field=ENDS[0],
            message=message,
            given="nothing",
            kind=ProblemKind.MISSING,
            wanted=Kind.IMAGE.value,
        )
        return Continuation(arguments=arguments, problems=(problem,), unread=frozenset(ENDS))
    if last is not None and not _is_same(first, last):
        message = "is first_frame in a loop; leave it out"
        problem = Problem(field=ENDS[1], message=message, given=shorten_repr(last))
        return Continuation(arguments=arguments, problems=(problem,))
    return Continuation(arguments={**arguments, ENDS[1]: first})


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.get("sha256") == other.get("sha256")
    return one is other or (isinstance(one, str) and one == other)
