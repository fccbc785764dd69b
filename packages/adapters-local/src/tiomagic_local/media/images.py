"""Pictures with Pillow: which formats are read, and how each of their kinds becomes RGB.

A picture is decoded by its content, never by its name. Of an animated picture that is asked for as
a still, the first frame is taken. Transparent parts become white: drawn characters have dark
outlines that would vanish on black, and the pipelines that take a reference picture paste it on
white as well.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

_PLUGINS = (
    PngImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    WebPImagePlugin,
    GifImagePlugin,
    BmpImagePlugin,
    TiffImagePlugin,
    AvifImagePlugin,
)
"""Importing a plugin registers its format; naming them here loads these and no others."""

_WANTED = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What Pillow is allowed to try. Left out: formats that call other programs (EPS), vector and
document formats, and the rare ones whose decoders are hardly ever looked at. MPO is what some
phones and cameras write under the name of JPEG."""

FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
"""Those of the wanted formats that this build of Pillow reads (AVIF is not in all of them)."""

BACKGROUND = (255, 255, 255)
"""RGB, 0-255: what is put under transparent parts."""

_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@contextlib.contextmanager
def opened(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open a picture without decoding it: only the header is read.

    Pillow's own limit on pixels is a warning about a global; the limits here are checked from the
    header by the caller, so the warning is not for anybody.

    Raises:
        OSError: when it is not a picture of one of the formats.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source, formats=FORMATS) as image:
            yield image


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as it is meant to be seen, in RGB with 8 bits a channel.

    The EXIF orientation is applied, colours are brought to sRGB, 16 bits become 8, and
    transparent parts become white.
    """
    image.load()
    upright = ImageOps.exif_transpose(image)
    return _flatten(_to_srgb(_to_eight_bits(upright)))


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode not in _SIXTEEN_BIT:
        return image
    # Pillow's convert("L") clips 16 bits at 255 instead of scaling; 65535 / 257 is 255 exactly.
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError):
        # A broken profile, or one for another kind of pixel: the colours as they are stored are
        # what every program that ignores profiles shows.
        return image
    return image if converted is None else converted


def _flatten(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, (*BACKGROUND, 255))
    return Image.alpha_composite(ground, seen).convert("RGB")
