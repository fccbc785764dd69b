"""Translates or refuses the parameters of tiomagic 1.0.0 that this version does not have.

In 1.0.0 the arguments of a call went to a diffusers pipeline unchanged. A parameter with its
pipeline's default value is dropped; one with an equivalent here is translated; every other one is a
problem whose message says what to use.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.errors import Problem
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr

SEED_LIMIT: Final = 2**32

OLD_FRAMES: Final[Mapping[str, int]] = {
    "cogvideox-5b": 48,
    "cogvideox-5b-image-to-video": 48,
    "framepack-i2v-hy": 129,
}
"""Documented defaults of ``num_frames`` that their models do not support."""

RENAMED_PARAMETERS: Final[Mapping[str, str]] = {
    "promt_attension_mask": "prompt_attention_mask",
    "negative_prompt_attension_mask": "negative_prompt_attention_mask",
    "negative_prompt2": "negative_prompt_2",
}
"""Misspelt names of the old documentation, and the correct ones."""

PROMPT_LENGTHS: Final = (128, 226, 512)
"""Documented defaults of ``max_sequence_length``: the models read at least as much here."""


@dataclass(frozen=True, slots=True)
class TranslatedCall:
    """A call with this version's parameters."""

    arguments: Mapping[str, object]
    problems: tuple[Problem, ...] = ()


class _Instead(Exception):  # noqa: N818 - carries what to use to where the parameter is known
    """A value that has no equivalent."""


class _As(Exception):  # noqa: N818 - the same
    """A value that is another parameter's here."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


def translate_legacy_call(
    model: str, schema: Schema, arguments: Mapping[str, object]
) -> TranslatedCall:
    """Return a call without the parameters that only tiomagic 1.0.0 had.

    A documented length that the model does not support becomes the nearest one, with a warning.
    Parameters of the model are unchanged.

    Args:
        model: The model's name.
        schema: The model's parameters.
        arguments: Of the caller.
    """
    kept: dict[str, object] = {}
    problems: list[Problem] = []
    for given, value in arguments.items():
        name = RENAMED_PARAMETERS.get(given, given)
        known = name in schema or name in schema.objects
        if known:
            kept[name] = _legal(model, schema, name, value)
        elif name not in LEGACY_RULES:
            kept[given] = value
        else:
            _apply(name, value, arguments, kept, problems, schema)
    return TranslatedCall(kept, tuple(problems))


def _apply(
    name: str,
    value: object,
    arguments: Mapping[str, object],
    kept: dict[str, object],
    problems: list[Problem],
    schema: Schema,
) -> None:
    """Drop an old parameter, or replace it by its equivalent."""
    try:
        if value is not None:
            LEGACY_RULES[name](value, arguments)
    except _As as other:
        if other.name not in schema:
            problems.append(_problem(name, value, f"{other.name} is none of this model's"))
        elif arguments.get(other.name, other.value) != other.value:
            problems.append(_problem(name, value, f"give {other.name} alone: they differ"))
        else:
            kept[other.name] = other.value
    except _Instead as instead:
        problems.append(_problem(name, value, str(instead)))


def _problem(name: str, value: object, instead: str) -> Problem:
    message = f"was a parameter of tiomagic 1.0.0 and has no such value here: {instead}"
    return Problem(field=name, message=message, given=shorten_repr(value))


def _legal(model: str, schema: Schema, name: str, value: object) -> object:
    """Return a value of a parameter that both versions have."""
    if name == "cond_position" and isinstance(value, str) and value.strip().isdigit():
        return int(value)  # In 1.0.0 it was a text with commas, for several pictures.
    is_old = type(value) is int and name == "num_frames" and value == OLD_FRAMES.get(model)
    if not is_old or schema[name].problem(value) is None:
        return value
    nearest = int(schema[name].nearest(float(str(value))))
    warnings.warn(
        f"{model} makes no {value} frames, the default of tiomagic 1.0.0: num_frames is {nearest}",
        UserWarning,
        stacklevel=2,
    )
    return nearest


LegacyRule = Callable[[Any, Mapping[str, object]], None]
"""Takes a value and the call; returns to drop the value, or raises with advice."""


def _only(*harmless: object, instead: str) -> LegacyRule:
    def rule(value: Any, _arguments: Mapping[str, object]) -> None:
        if not any(type(value) is type(one) and value == one for one in harmless):
            raise _Instead(instead)

    return rule


def _same_as(other: str, instead: str) -> LegacyRule:
    def rule(value: Any, arguments: Mapping[str, object]) -> None:
        required = arguments.get(other, "")
        if value not in ("", required):
            raise _Instead(instead)

    return rule


def _generator(value: Any, _arguments: Mapping[str, object]) -> None:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    seed_of = getattr(value, "initial_seed", None)
    if not callable(seed_of):
        raise _Instead("give its seed as seed=")
    seed = seed_of()
    if type(seed) is not int or not 0 <= seed < SEED_LIMIT:
        raise _Instead(f"its seed is {seed}; give one from 0 to {SEED_LIMIT - 1} as seed=")
    raise _As("seed", seed)


def _noise_multipliers(value: Any, _arguments: Mapping[str, object]) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _Instead("there is one picture; give one number as noise_multiplier=") from None
    raise _As("noise_multiplier", number)


def _prompt_length(value: Any, _arguments: Mapping[str, object]) -> None:
    if type(value) is not int or value not in PROMPT_LENGTHS:
        raise _Instead("leave it out, a model always reads as much of a prompt as it can")


_SCHEDULE = "give num_inference_steps, and flow_shift where the model has it"
_PICTURES = "give pictures as image or first_frame and last_frame, a video as guiding_video or "
_PICTURES += "pose_video"

LEGACY_RULES: Final[Mapping[str, LegacyRule]] = {
    "num_videos_per_prompt": _only(1, instead=f"a call makes one video; {NextStep.BATCH.say()}"),
    "return_dict": _only(True, instead="a call always returns the job; leave it out"),
    "output_type": _only(
        *("pil", "np", "np.array", "PIL.Image"),
        instead=f"a video is an mp4; for frames and other formats, {NextStep.CONVERT.say()}",
    ),
    "generator": _generator,
    "max_sequence_length": _prompt_length,
    "timesteps": _only([], (), instead=_SCHEDULE),
    "sigmas": _only([], (), instead=_SCHEDULE),
    "callback_on_step_end_tensor_inputs": _only(
        *([], ["latents"], ("latents",)), instead="a callback gets the latents"
    ),
    "conditioning_scale": _only(1, 1.0, instead="nothing conditions the video in this feature"),
    "guidance_rescale": _only(0, 0.0, instead="leave it out, this model has none"),
    "decode_timestep": _only(0, 0.0, instead="leave it out, the model's own is used"),
    "decode_noise_scale": _only(0, 0.0, instead="leave it out, the model's own is used"),
    "clip_skip": _only(0, instead="leave it out, all layers are used"),
    "prompt_2": _same_as("prompt", "both encoders read the prompt; put it all there"),
    "negative_prompt_2": _same_as("negative_prompt", "both encoders read negative_prompt"),
    "noise_multipliers": _noise_multipliers,
    "video": _only([], (), instead=_PICTURES),
    "mask": _only([], (), instead=_PICTURES),
    "reference_images": _only([], (), instead=_PICTURES),
    "image_embeds": _only(instead="give the picture itself"),
    "image_latents": _only(instead="give the picture itself as image"),
    "last_image_latents": _only(instead="give the picture itself as last_frame"),
    "modal_options": _only(
        {},
        instead=", or ".join(
            NextStep.CHANGE_SETTING.say(name=name)
            for name in ("gpu", "timeout", "scaledown_window")
        ),
    ),
}
"""The documented parameters of 1.0.0 that this version lacks, by name."""
