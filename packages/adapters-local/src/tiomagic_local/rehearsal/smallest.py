"""Builds the smallest legal call of a model, with synthetic pictures and videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import (
    Feature,
    ImageToVideoInputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.parameter import Parameter

STEPS = 2
PROMPT = "a red ball rolls to the left"
MIN_SIDE_PX = 64
"""Pixels; the schedules of a few models fail at the smallest legal sizes."""


def feature_of(card: ModelCard) -> Feature:
    """Return the feature with the fewest inputs: text to video if possible."""
    return next(feature for feature in Feature if feature in card.features)


def settings_of(card: ModelCard, feature: Feature) -> dict[str, Any]:
    """Return the settings of the smallest legal call, two steps long."""
    settings: dict[str, Any] = {}
    for parameter in card.schema(feature).parameters:
        value = _value(parameter)
        if value is not UNSET and value is not None:
            settings[parameter.name] = value
    return settings | {"seed": 0}


def _value(parameter: Parameter) -> Any:
    if parameter.name in {"width", "height"}:
        return _at_least(parameter, MIN_SIDE_PX)
    if parameter.name == "num_frames":
        return _at_least(parameter, 0)
    if parameter.name == "num_inference_steps":
        return _at_least(parameter, STEPS)
    return parameter.default


def _at_least(parameter: Parameter, least: int) -> int:
    if parameter.multiple_of is None:
        return int(max(least, parameter.minimum or 0))
    values = parameter.legal_values()
    return int(next((value for value in values if value >= least), values[-1]))


def inputs_of(card: ModelCard, feature: Feature, settings: dict[str, Any], folder: Path) -> Any:
    """Return the inputs of a model's feature: a prompt, and grey pictures in a folder."""
    match feature:
        case Feature.TEXT_TO_VIDEO:
            return TextToVideoInputs(prompt=PROMPT)
        case Feature.IMAGE_TO_VIDEO:
            return ImageToVideoInputs(prompt=PROMPT, image=_picture(settings, folder, "first"))
        case Feature.INTERPOLATE:
            first, last = (_picture(settings, folder, name) for name in ("first", "last"))
            return InterpolateInputs(prompt=PROMPT, first_frame=first, last_frame=last)
        case Feature.POSE_GUIDANCE:
            # Skeletons, where a model takes them: they need no network that finds them.
            source = "pose_video" if "pose_video" in card.schema(feature) else "guiding_video"
            return PoseGuidanceInputs(
                prompt=PROMPT,
                image=_picture(settings, folder, "first"),
                **{source: _video(settings, folder)},
            )


def _picture(settings: dict[str, Any], folder: Path, name: str) -> Media:
    from PIL import Image

    size = int(settings["width"]), int(settings["height"])
    path = folder / f"{name}.png"
    Image.new("RGB", size, (96, 112, 128)).save(path)
    return _media(path, MediaKind.IMAGE, "image/png", size)


def _video(settings: dict[str, Any], folder: Path) -> Media:
    from tiomagic_media.encode.mp4 import write_mp4

    width, height, count = (int(settings[name]) for name in ("width", "height", "num_frames"))
    fps = float(settings["fps"])
    frames = np.zeros((count, height, width, 3), dtype=np.uint8)
    path = folder / "poses.mp4"
    write_mp4(path, frames, fps=fps, recipe={})
    return _media(path, MediaKind.VIDEO, "video/mp4", (width, height), frames=count, fps=fps)


def _media(
    path: Path,
    kind: MediaKind,
    media_type: str,
    size: tuple[int, int],
    **more: Any,
) -> Media:
    width, height = size
    return Media(
        kind=kind,
        sha256=sha256_of(path),
        path=path,
        media_type=media_type,
        width=width,
        height=height,
        **more,
    )
