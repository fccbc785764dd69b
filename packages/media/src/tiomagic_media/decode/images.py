"""Pictures with Pillow: which formats are read, and how each of their kinds becomes RGB.

A picture is decoded by its content, never by its name. An animated picture used as a still gives
its first frame. Transparent parts become white: drawn characters have dark outlines that would
vanish on black, and the pipelines that take a reference picture paste it on white as well.
"""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from tiomagic_media.decode.structure.jpeg import restore_end_marker

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

with contextlib.suppress(ImportError):  # Optional: some platforms have no wheel of it.
    import pi_heif

    if "HEIF" not in Image.OPEN:
        # Only the primary picture is read: no thumbnails, no auxiliary pictures.
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_WANTED = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
"""The formats that Pillow may try. Left out: formats that call other programs (EPS), vector and
document formats, and rare ones whose decoders are seldom reviewed. MPO is what some phones and
cameras write under the name of JPEG, HEIF what others call HEIC."""

FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
"""Those of the wanted formats that can be read here: AVIF is not in every build of Pillow, and
HEIC is a library of its own."""

BACKGROUND = (255, 255, 255)
"""RGB, 0-255: what is put under transparent parts."""

DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise on damaged files. Long, because each decoder raises others."""

_PROFILED = ("RGB", "RGBA", "CMYK", "L")
"""Pixels that a colour profile can be applied to."""

_COLOURED = ("RGB", "P", "PA", "RGBX", "RGBa")

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_PREMULTIPLIED = ("RGBa", "La", "PA")

_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


_PHOTOMETRIC, _WHITE_IS_ZERO, _BLACK_IS_ZERO = 262, 0, 1
"""The tag of a TIFF that says what its numbers mean, and two of its values."""

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def open_picture(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open a picture without decoding it: only the header is read.

    Pillow warns above its soft limit on the size and raises above twice that; here ``MediaLimits``
    decides, so the warning is silenced. Warnings are silenced for the whole process while a picture
    is open, so there is one open picture at a time.

    Raises:
        DECODE_ERRORS: when it is not a picture of one of the formats.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source, formats=FORMATS) as image:
            yield image


def decode_picture(image: Image.Image) -> Image.Image:
    """Return an opened picture, decoded. A JPEG that lacks only its end marker is accepted.

    Raises:
        DECODE_ERRORS: when it is damaged or cut off.
    """
    if image.format == "TIFF" and isinstance(image, ImageFile.ImageFile):
        # Given a file name, Pillow maps uncompressed pixels with the width and height after the
        # rotation, which cuts the rows of a rotated picture in the wrong places.
        image.filename = ""
    try:
        image.load()
    except OSError:
        file = getattr(image, "fp", None)
        if image.format != "JPEG" or file is None:
            raise
        file.seek(0)
        whole = restore_end_marker(file.read())
        if whole is None:
            raise
        image = Image.open(io.BytesIO(whole), formats=("JPEG",))
        image.load()
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture for display, in RGB with 8 bits a channel.

    The EXIF orientation is applied, colours are brought to sRGB, 16 bits become 8, and
    transparent parts become white.

    Raises:
        ValueError: for floating point pixels: the file does not say which number is white.
    """
    image = decode_picture(image)
    if not has_known_white(image):
        raise ValueError("nothing says which number is white in a picture of such numbers")
    upright = ImageOps.exif_transpose(image)
    if _is_negative(image):
        upright = upright.convert("I").point(lambda value: value * -1 + 65535)
    return _flatten(_to_srgb(_to_eight_bits(upright)))


def has_known_white(image: Image.Image) -> bool:
    """Say whether the numbers of an opened picture can be brought to 8 bits.

    Floating point numbers cannot, nor can the signed and the 32-bit ones of a TIFF. A picture that
    was made in memory with 32 bits holds 16-bit numbers, as Pillow's own do.
    """
    return image.mode != "F" and not (image.mode == "I" and image.format == "TIFF")


def _is_negative(image: Image.Image) -> bool:
    # Pillow inverts pixels that are stored as a negative with up to 8 bits, but not with 16.
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.mode not in _SIXTEEN_BIT:
        return False
    return bool(image.tag_v2.get(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode not in _SIXTEEN_BIT:
        return image
    # Pillow's convert("L") clips 16 bits at 255 instead of scaling; 65535 / 257 is 255 exactly.
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in ("L", "LA") and image.has_transparency_data:
        return _grey_with_alpha(image.convert("LA"))
    if image.mode in _COLOURED:
        # A profile describes colours, not the indices of a palette. The transparent colour is
        # removed first, because the conversion would change it.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _PROFILED:
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError):
        # A broken profile, or one for another kind of pixel: keep the stored colours, as programs
        # that ignore profiles do.
        return image
    return image if converted is None else converted


def _grey_with_alpha(image: Image.Image) -> Image.Image:
    grey, alpha = image.split()
    grey.info["icc_profile"] = image.info["icc_profile"]
    seen = _to_srgb(grey).convert("RGB")
    seen.putalpha(alpha)
    return seen


def _flatten(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, (*BACKGROUND, 255))
    return Image.alpha_composite(ground, seen).convert("RGB")


def to_png(image: Image.Image) -> bytes:
    """Return a picture that exists only in memory as the bytes of a PNG, without loss.

    What a PNG cannot hold (CMYK, LAB and the like) becomes RGB.

    Raises:
        DECODE_ERRORS: when a lazily opened picture cannot be decoded.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = decode_picture(image)
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in _PNG_MODES:
            upright = upright.convert("RGBA") if upright.mode in _PREMULTIPLIED else to_rgb(upright)
        buffer = io.BytesIO()
        # Level 1: these files are read back far more often than their size matters.
        upright.save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()
