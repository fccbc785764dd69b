"""The names of OpenAI's and OpenRouter's fields, and what ours they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.schema.parameter import Kind
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.schema.sizes import RESOLUTION
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.asking.texts import SWITCHES, read_nested, read_text

RENAMED: Final[Mapping[str, str]] = {
    "duration": "seconds",
    "aspect_ratio": "aspect",
    "image_reference": "input_reference",
    "video_reference": "guiding_video",
    "previous_job_id": "continued_video",
    "video": "continued_video",
}
"""Names of other servers for what has one of ours."""
IGNORED: Final = frozenset({"user", "response_format", "stream", "priority", "metadata"})
"""Fields that change nothing about a video."""
_SIZE: Final = re.compile(r"([1-9][0-9]{1,4})\s*[xX*]\s*([1-9][0-9]{1,4})")
ENDS: Final = {"first_frame": "first_frame", "last_frame": "last_frame"}


class CommonFields:
    """Translates the fields of one request.

    Args:
        fields: As they came, nested.

    Attributes:
        arguments: By our names, but for ``size``.
        callback_url: Where the client wants to hear of the end; None for nowhere.
        problems: What cannot be translated.
        names: The client's name for each of ours that has another.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self.arguments: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        given = {name: value for name, value in fields.items() if name not in IGNORED}
        given |= self._unpack_extra(given)
        for name, value in given.items():
            ours = RENAMED.get(name, name)
            if ours in self.arguments:
                self._refuse(name, f"says the same as {ours}; leave one out", value)
            else:
                self.arguments[ours] = value
                self.names |= {} if ours == name else {ours: name}
        self.size = self.arguments.pop("size", None)
        self.callback_url: object = None
        self._drop_without_meaning()
        self._place_pictures()

    def _refuse(self, field: str, message: str, value: object) -> None:
        self.problems.append(Problem(field=field, message=message, given=shorten_repr(value)))

    def _unpack_extra(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of ``extra_params``, an object or its JSON, with names of ours."""
        extra = given.pop("extra_params", None)
        if isinstance(extra, str):
            extra = read_nested(extra)
        if isinstance(extra, dict):
            for name in extra.keys() & given.keys():
                # A form has a number as its text.
                if extra[name] != given[name] and str(extra[name]) != str(given[name]):
                    message = f"differs from {name} outside of extra_params; leave one out"
                    self._refuse(f"extra_params.{name}", message, extra[name])
            return {name: value for name, value in extra.items() if name not in given}
        if extra is not None:
            self._refuse("extra_params", "must be an object", extra)
        return {}

    def _drop_without_meaning(self) -> None:
        """Take out what asks for the only thing that there is."""
        if self.arguments.get("n") in {1, "1"}:
            del self.arguments["n"]
        elif "n" in self.arguments:
            self._refuse("n", "must be 1: send one request for each video", self.arguments.pop("n"))
        audio = self.arguments.get("generate_audio")
        if audio is False or (isinstance(audio, str) and SWITCHES.get(audio.lower()) is False):
            del self.arguments["generate_audio"]
        provider = self.arguments.get("provider")
        if isinstance(provider, dict) and not provider.get("options"):
            del self.arguments["provider"]
        elif provider is not None:
            message = "is chosen by the server; leave it out"
            self._refuse("provider", message, self.arguments.pop("provider"))
        self.callback_url = self.arguments.pop("callback_url", None)

    def _place_pictures(self) -> None:
        """Give the pictures of other APIs their names here."""
        references = self.arguments.pop("input_references", None)
        if references not in (None, [], ""):
            message = (
                "no model here takes pictures that are no frames; give first and last frame as "
                "frame_images, or one picture to begin with as input_reference"
            )
            self._refuse("input_references", message, references)
        frames = self.arguments.pop("frame_images", None)
        if isinstance(frames, str):
            frames = read_nested(frames)
        placed = self._read_frames(frames) if frames else {}
        reference = self.arguments.pop("input_reference", None)
        if isinstance(reference, str):
            reference = read_nested(reference)
        if reference not in (None, ""):
            self._place("image", "input_reference", reference)
        if placed.keys() == {"first_frame"} and "last_frame" not in self.arguments:
            placed = {"image": placed["first_frame"]}
        for name, value in placed.items():
            self._place(name, "frame_images", value)

    def _place(self, name: str, given_as: str, value: object) -> None:
        if name in self.arguments:
            self._refuse(given_as, f"says the same as {name}; leave one out", value)
        else:
            self.arguments[name] = value
            self.names[name] = given_as

    def _read_frames(self, frames: object) -> dict[str, Any]:
        if not isinstance(frames, list):
            self._refuse("frame_images", "must be a list of objects with frame_type", frames)
            return {}
        placed: dict[str, Any] = {}
        for index, frame in enumerate(frames):
            place = f"frame_images[{index}]"
            kind = frame.get("frame_type") if isinstance(frame, dict) else None
            if kind not in ENDS:
                message = "must be an object with frame_type first_frame or last_frame"
                self._refuse(place, message, frame)
            elif kind in placed:
                self._refuse(f"{place}.frame_type", f"{kind} is given twice", kind)
            else:
                placed[kind] = {k: v for k, v in frame.items() if k not in {"frame_type", "type"}}
        return placed

    def rename(self, error: ValidationError) -> ValidationError:
        """Return an error with the names that the client has used."""
        if not any(problem.field in self.names for problem in error.problems):
            return error
        problems = [
            replace(problem, field=self.names.get(problem.field, problem.field))
            for problem in error.problems
        ]
        return ValidationError.of(problems, subject=error.subject, code=error.code)

    def add_size(self, schema: Schema) -> None:
        """Say ``size`` and ``seconds`` in the terms of a model.

        Args:
            schema: Of the model's feature.
        """
        if isinstance(self.arguments.get("seconds"), str):
            self.arguments["seconds"] = read_text(Kind.NUMBER, self.arguments["seconds"])
        if self.size is None:
            return
        found = _SIZE.fullmatch(self.size.strip()) if isinstance(self.size, str) else None
        if found is None:
            self._refuse("size", "must be width x height, such as 1280x720", self.size)
            return
        width, height = int(found[1]), int(found[2])
        if RESOLUTION in schema and not schema[RESOLUTION].choices:
            self._place(RESOLUTION, "size", f"{width}x{height}")
            return
        if RESOLUTION in schema:
            self._place(RESOLUTION, "size", f"{min(width, height)}p")
        if "aspect" in schema:
            self._place("aspect", "size", f"{width}:{height}")
