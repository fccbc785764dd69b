"""Calibrates a model for the step cache MagCache: ``python -m tiomagic_local.calibrate MODEL``.

It makes a few videos with the model, whose weights have to be on this machine, and writes a file of
a few kilobytes where runs look for it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from PIL import Image

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs, TextToVideoInputs
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.requests.defaults import draw_seed_and_size
from tiomagic_local.acceleration.step_caches.calibrating import Measured, measure_magnitudes
from tiomagic_local.acceleration.step_caches.magnitudes import Magnitudes, measured_file
from tiomagic_local.measuring_tool import build_parser, read_options, show_count
from tiomagic_local.options import LocalOptions
from tiomagic_local.preview.fitting import draw_clip
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.inventory import take_inventory

VIDEOS: Final = 4
"""Each ratio of ``doodle`` differs by at most 3 % between six videos (standard deviation)."""
STEPS: Final = 50
"""Steps of a video: the noise levels between which a run's are interpolated."""
DEFAULTS: Final = MappingProxyType({"num_inference_steps": STEPS})
PICTURE: Final = 256
"""Side in pixels of the pictures that are drawn for a model that begins with one."""
PROMPTS: Final = (
    "a red star moves left on a grey background",
    "a blue circle grows on a white background",
    "a purple square spins on a mint background",
    "a black stick figure walks right on a sky background",
    "a green circle moves down on a night background",
    "a yellow triangle bounces on a white background",
)


def main(arguments: list[str] | None = None) -> int:
    """Calibrate a model, write the result, and say where; return the exit status."""
    given = _parse(arguments)
    options = read_options(given)
    try:
        found, path = calibrate_model(
            given.model,
            options,
            videos=given.videos,
            settings={"num_inference_steps": given.steps, **dict(given.set)},
            output=given.output,
        )
    except TioMagicError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(f"{path}: steps differ by {100 * found.facts['spread']:.1f} % at most\n")
    return 0


def calibrate_model(
    model: str,
    options: LocalOptions,
    *,
    videos: int = VIDEOS,
    settings: Mapping[str, Any] = DEFAULTS,
    output: Path | None = None,
) -> tuple[Magnitudes, Path]:
    """Calibrate a model and write the result.

    Args:
        model: Its name.
        options: With the source of its weights, and the device.
        videos: How many videos are made.
        settings: Arguments of each, such as its size and its steps; all else is the model's own.
        output: The file; None for the one where runs look for it.

    Returns:
        The calibration, and its file.

    Raises:
        UnknownModelError: when there is no such model.
        ValidationError: when an argument is none of the model's.
        ConfigurationError: when its weights are not on this machine, or it cannot be calibrated.
    """
    card = find_model(model)
    feature = _feature_of(card)
    if options.model_path is None and not take_inventory(card, options).is_complete:
        raise ConfigurationError(
            f"the weights of {card.name!r} are not all on this machine: run tiomagic download "
            f"{card.name} first",
            details={"model": card.name},
        )
    runtime, measured = Runtime(options), Measured()
    with tempfile.TemporaryDirectory() as folder:
        for index in range(videos):
            call = _call(card, feature, index, settings, Path(folder))
            _make(runtime, card, call, measured)
            show_count("video", index + 1, videos)
    try:
        curves = measured.curves()
    except ValueError as error:
        raise ConfigurationError(f"{card.name!r} cannot be calibrated: {error}") from error
    facts = {"model": model, "videos": videos, "settings": dict(settings)}
    found = Magnitudes(curves=curves, facts={**facts, "spread": round(measured.spread(), 4)})
    path = output or measured_file(model)
    found.save(path)
    return found, path


def _feature_of(card: ModelCard) -> Feature:
    for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO):
        if feature in card.features:
            names = {one.name for one in card.schema(feature)["acceleration"].fields}
            if "cache" in names:
                return feature
    raise ConfigurationError(
        f"{card.name!r} cannot be calibrated: it has no step cache, or makes no video from words "
        "or a picture",
        details={"model": card.name},
    )


def _make(
    runtime: Runtime,
    card: ModelCard,
    call: tuple[Inputs, Mapping[str, Any]],
    measured: Measured,
) -> None:
    """Make one video, and take its measurements."""
    (inputs, settings), token = call, NeverCanceled()
    with runtime.use(card, settings, ignore_progress, token) as loaded:
        try:
            with measure_magnitudes(loaded.pipeline, measured):
                make = getattr(loaded.engine, inputs.feature.value)
                make(inputs, settings, ignore_progress, token)
        # What the library's hooks raise for blocks that they do not know.
        except (ValueError, AttributeError, IndexError) as error:
            raise ConfigurationError(f"{card.name!r} cannot be calibrated: {error}") from error


def _call(
    card: ModelCard, feature: Feature, index: int, settings: Mapping[str, Any], folder: Path
) -> tuple[Inputs, Mapping[str, Any]]:
    """Return the inputs and settings of one video."""
    prompt = PROMPTS[index % len(PROMPTS)]
    given: dict[str, Any] = {**settings, "prompt": prompt}
    media: Mapping[str, Media] = {}
    inputs: Inputs = TextToVideoInputs(prompt=prompt)
    if feature is Feature.IMAGE_TO_VIDEO:
        picture = _picture(index, folder)
        media, given["image"] = {"image": picture}, str(picture.path)
        inputs = ImageToVideoInputs(prompt=prompt, image=picture)
    values = card.schema(feature).validate(given)
    values |= draw_seed_and_size(card, feature, values, media, lambda: index)
    return inputs, {name: one for name, one in values.items() if name not in {"prompt", "image"}}


def _picture(index: int, folder: Path) -> Media:
    clip = draw_clip(np.random.default_rng(index), PICTURE, 1)
    buffer = io.BytesIO()
    Image.fromarray(clip[0]).save(buffer, "PNG")
    path = folder / f"{index}.png"
    path.write_bytes(buffer.getvalue())
    return Media(
        kind=MediaKind.IMAGE,
        sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
        path=path,
        media_type="image/png",
        width=PICTURE,
        height=PICTURE,
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = build_parser("calibrate", __doc__)
    parser.add_argument("--videos", type=int, default=VIDEOS, help="videos to make")
    parser.add_argument("--steps", type=int, default=STEPS, help="denoising steps of each")
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a number of the videos, such as num_frames=49; by default the model's own",
    )
    return parser.parse_args(arguments)


def _setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    number = float(value)
    return name, int(number) if number.is_integer() else number


if __name__ == "__main__":
    sys.exit(main())
