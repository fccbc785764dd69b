"""The argument ``keyframes``: pictures at moments of the video, on the grid of the model.

A moment is a time in seconds (``at``) or the number of a frame (``frame``, from 0). A model reads a
picture only where its autoencoder begins or ends a group of frames: :class:`KeyframeMoments` says
at which frames, and checks a call.

Some models take any of the pictures without the others. Their ends may be left out, and
:class:`LaterPicture` asks for a picture that is not the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.errors import Problem, ProblemKind
from tiomagic_domain.schema.kinds import Kind
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.sizes import MAX_SECONDS
from tiomagic_domain.suggestions import shorten_repr

KEYFRAMES: Final = "keyframes"
FIRST: Final = "first_frame"
LAST: Final = "last_frame"
AT: Final = "at"
FRAME: Final = "frame"
PICTURE_FRAMES: Final = "picture_frames"
"""The setting in which an engine gets the frames of all pictures, the ends included."""
MAX_FRAME: Final = 1_000_000
"""More than any model's video has."""
MAX_LISTED: Final = 5
"""Up to so many legal moments are listed one by one."""
MAX_NAME: Final = 40
"""Most characters of a picture's name in a line about several."""
SECONDS_DIGITS: Final = 3
"""Digits of a moment in seconds: finer than a frame at any rate."""


@dataclass(frozen=True, slots=True)
class KeyframeMoments:
    """Each of the keyframes has one moment, at a frame where the model reads a picture."""

    step: int = 1
    """Frames from one such frame to the next, beginning with frame 0."""
    frames: str = "num_frames"
    fps: str = "fps"

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return what is wrong with each of the moments, with the nearest that is free."""
        problems: list[Problem] = []
        moments = zip(_entries(values), self._frames(values), self._taken(values), strict=True)
        for index, (entry, frame, taken) in enumerate(moments):
            place = f"{KEYFRAMES}[{index}]"
            if (AT in entry) == (FRAME in entry):
                problems.append(_explain_count(place, entry))
            elif frame is not None:
                problems += self._check(place, entry, frame, taken, values)
        return problems

    def resolve(self, values: Mapping[str, Any]) -> list[int]:
        """Return the frame of each of the keyframes, in the order of the call.

        Args:
            values: Of a checked call, with ``fps``.
        """
        return [frame for frame in self._frames(values) if frame is not None]

    def picture_frames(self, values: Mapping[str, Any]) -> list[int]:
        """Return the frames that a picture is given for, in the order of time, the ends included.

        Args:
            values: Of a checked call. What its length or rate decides is left out without them.
        """
        first = [0] if FIRST in values else []
        has_end = LAST in values and self.frames in values
        last = [int(values[self.frames]) - 1] if has_end else []
        return sorted([*first, *self.resolve(values), *last])

    def fit(
        self, values: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], list[tuple[str, str | None]]]:
        """Return the keyframes at the nearest moments of this model, and what was changed.

        One that is after the video's end is left out, and so is one without a free moment.

        Args:
            values: Of a call that was made for another model, with this one's length and rate.

        Returns:
            The keyframes; and of each that is moved or left out the moment that was asked for and
            the one it has now, in words, None for left out.
        """
        kept: list[dict[str, Any]] = []
        changes: list[tuple[str, str | None]] = []
        for entry in _entries(values):
            moved = self._fit_one(kept, entry, values)
            if moved is not None:
                kept.append(moved)
            if moved != entry:
                changes.append((_say(entry), None if moved is None else _say(moved)))
        return kept, changes

    def _fit_one(
        self, kept: list[dict[str, Any]], entry: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return a keyframe beside others at the nearest free moment, or None."""
        trial = {**values, KEYFRAMES: [*kept, entry]}
        # The entry is checked beside those that are placed already, as it would be in a call.
        found = self.problems(trial)
        if not found:
            return dict(entry)
        frame, nearest = self._frames(trial)[-1], found[0].nearest
        if frame is None or nearest is None or frame >= int(values[self.frames]):
            return None
        moved = {**entry, AT if AT in entry else FRAME: nearest}
        # The nearest moment can be taken by one of the ends.
        return None if self.problems({**values, KEYFRAMES: [*kept, moved]}) else moved

    def to_json_schema(self) -> dict[str, object]:
        """Return that a moment is said once; JSON Schema does not compare it with the length."""
        one_of = {"oneOf": [{"required": [AT]}, {"required": [FRAME]}]}
        return {"properties": {KEYFRAMES: {"items": one_of}}}

    def describe(self) -> str:
        """Return in words where the model reads a picture."""
        return "any frame" if self.step == 1 else f"every {self.step}th frame"

    def _frames(self, values: Mapping[str, object]) -> list[int | None]:
        """Return the frame of each entry; None where the call does not say it."""
        fps = values.get(self.fps)
        rate = float(fps) if isinstance(fps, int | float) else None
        return [_frame_of(entry, rate) for entry in _entries(values)]

    def _taken(self, values: Mapping[str, object]) -> Iterator[dict[int, str]]:
        """Yield for each entry the frames that have a picture already, each with its name."""
        frames = values.get(self.frames)
        taken = {0: FIRST} if FIRST in values else {}
        if LAST in values and isinstance(frames, int):
            taken[frames - 1] = LAST
        for index, frame in enumerate(self._frames(values)):
            yield dict(taken)
            if frame is not None:
                taken.setdefault(frame, f"{KEYFRAMES}[{index}]")

    def _check(
        self,
        place: str,
        entry: Mapping[str, Any],
        frame: int,
        taken: Mapping[int, str],
        values: Mapping[str, object],
    ) -> Iterator[Problem]:
        frames = values.get(self.frames)
        if not isinstance(frames, int):
            return
        if frame < frames and frame % self.step == 0 and frame not in taken:
            return
        name = AT if AT in entry else FRAME
        others = {other for other in self._frames(values) if other is not None and other != frame}
        free = [one for one in range(0, frames, self.step) if one not in {*taken, *others}]
        if frame in taken:
            what = f"is frame {frame}, which {taken[frame]} has"
        elif frame >= frames:
            what = f"is frame {frame}, after the end of the video of {frames} frames"
        else:
            what = f"is frame {frame}"
        rate = float(str(values[self.fps])) if name == AT else None
        near = min(free, key=lambda one: (abs(one - frame), one), default=None)
        nearest = None if near is None else _moment(near, rate)
        tail = "" if nearest is None else f"; nearest: {nearest:g}"
        yield Problem(
            field=f"{place}.{name}",
            message=f"{what}; {self._describe_free(free, rate)}{tail}",
            given=shorten_repr(entry[name]),
            nearest=nearest,
        )

    def _describe_free(self, free: Sequence[int], rate: float | None) -> str:
        if not free:
            return "no frame of this video is free for a picture"
        unit = "" if rate is None else " s"
        if len(free) <= MAX_LISTED:
            listed = ", ".join(f"{_moment(one, rate):g}" for one in free)
            return f"free for a picture: {listed}{unit}"
        span = f"{_moment(free[0], rate):g} to {_moment(free[-1], rate):g}{unit}"
        return f"free for a picture is {self.describe()} from {span}"


@dataclass(frozen=True, slots=True)
class LaterPicture:
    """A video between pictures has one after its beginning: the last one, or keyframes.

    For a model whose ends may be left out; of the others both ends are required.
    """

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when neither is given."""
        # An illegal value is UNSET here: it is given, and reported already.
        keyframes = values.get(KEYFRAMES)
        if LAST in values or (keyframes is not None and keyframes != []):
            return []
        if FIRST in values:
            message = f"is needed, or {KEYFRAMES}; the first picture alone is for image_to_video"
            return [Problem(field=LAST, message=message, given="nothing")]
        fields, message = f"{LAST}, {KEYFRAMES}", "give one of them, or both: neither was given"
        return [Problem(field=fields, message=message, given="[]", kind=ProblemKind.ONE_OF)]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``anyOf``."""
        some = {"required": [KEYFRAMES], "properties": {KEYFRAMES: {"minItems": 1}}}
        return {"anyOf": [{"required": [LAST]}, some]}


def find_end_frames(values: Mapping[str, Any]) -> list[int]:
    """Return the frames of a first and a last picture, as ``KeyframeMoments.picture_frames``."""
    return KeyframeMoments().picture_frames({**values, FIRST: True, LAST: True, KEYFRAMES: []})


def keyframes_parameter(moments: KeyframeMoments, *, source: str) -> Parameter:
    """Return the parameter ``keyframes`` of a model that takes pictures between the ends.

    Args:
        moments: Where it takes them.
        source: Where it is said that the model does.
    """
    return Parameter(
        name=KEYFRAMES,
        kind=Kind.LIST,
        required=False,
        items=Kind.OBJECT,
        fields=(
            Parameter(name="image", kind=Kind.IMAGE, description="The picture."),
            Parameter(
                name=AT,
                kind=Kind.NUMBER,
                required=False,
                minimum=0,
                maximum=MAX_SECONDS,
                unit="s",
                description="When the video shows it, in seconds; this or frame.",
            ),
            Parameter(
                name=FRAME,
                kind=Kind.INTEGER,
                required=False,
                minimum=0,
                maximum=MAX_FRAME,
                description="The frame that shows it, counted from 0; this or at.",
            ),
        ),
        source=source,
        description="Pictures at moments of the video, each a dict: `image`, and `at` in seconds "
        "or `frame` counted from 0. Which frames can have one depends on the model. "
        f"Here {moments.describe()}.",
    )


def describe_keyframes(value: object) -> str | None:
    """Return recorded keyframes as ``hop.png at 0.5 s, land.png at frame 12``; None for no such.

    Args:
        value: An argument of a job or of a recipe, which may have any form.
    """
    if not isinstance(value, list) or not value:
        return None
    parts = []
    for entry in value:
        given = entry if isinstance(entry, Mapping) else {}
        image = given.get("image")
        if not isinstance(image, Mapping) or "sha256" not in image:
            return None
        name = str(image.get("name") or image["sha256"])[:MAX_NAME]
        moment = f"{given[AT]} s" if AT in given else f"frame {given.get(FRAME)}"
        parts.append(f"{name} at {moment}")
    return ", ".join(parts)


def _entries(values: Mapping[str, object]) -> list[Mapping[str, Any]]:
    """Return the keyframes of a call; none where they are illegal by themselves."""
    entries = values.get(KEYFRAMES)
    return entries if isinstance(entries, list) else []


def _explain_count(place: str, entry: Mapping[str, Any]) -> Problem:
    if AT in entry:
        return Problem(
            field=f"{place}.{AT}",
            message="is given beside frame, which says the same; leave one out",
            given=f"{shorten_repr(entry[AT])}, frame {shorten_repr(entry[FRAME])}",
        )
    return Problem(
        field=f"{place}.{AT}",
        message="is needed: the moment of the picture, in seconds or as a frame",
        given="nothing",
        kind=ProblemKind.MISSING,
        wanted=Kind.NUMBER.value,
    )


def _frame_of(entry: Mapping[str, Any], rate: float | None) -> int | None:
    if FRAME in entry:
        return int(entry[FRAME])
    # A half goes up, whatever its number: Python's own rounding would not.
    return None if rate is None or AT not in entry else math.floor(entry[AT] * rate + 0.5)


def _moment(frame: int, rate: float | None) -> float | int:
    """Return a frame as its number, or as its time where there is a rate."""
    return frame if rate is None else round(frame / rate, SECONDS_DIGITS)


def _say(entry: Mapping[str, Any]) -> str:
    return f"{entry[AT]:g} s" if AT in entry else f"frame {entry[FRAME]}"
