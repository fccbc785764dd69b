"""Shapes and icons as pixels, smooth at the edges."""

import numpy as np
from PIL import Image, ImageDraw

from training.world import icons
from training.world.lexicon import ICONS

MASTER = 512
"""Side of the canvas behind a frame of 64 or of 128 pixels: both show exactly the same scene."""


def oversample(size: int) -> int:
    """Pixels of the canvas for one of a frame, in each direction: at least four."""
    return max(4, MASTER // size)


def outline(shape: str, angle: float) -> np.ndarray:
    """Corners of a shape around the origin, about as large as the unit circle."""
    match shape:
        case "square":
            turns, radii = np.arange(4) * np.pi / 2 + np.pi / 4, np.full(4, 1.18)
        case "triangle":
            turns, radii = np.arange(3) * 2 * np.pi / 3 - np.pi / 2, np.full(3, 1.28)
        case "star":
            turns = np.arange(10) * np.pi / 5 - np.pi / 2
            radii = np.where(np.arange(10) % 2 == 0, 1.3, 0.54)
        case _:
            turns, radii = np.arange(48) * 2 * np.pi / 48, np.ones(48)
    return np.stack([np.cos(turns + angle), np.sin(turns + angle)], axis=1) * radii[:, None]


def parts(shape: str, angle: float, *, mirrored: bool = False) -> list[icons.Part]:
    """Filled outlines and holes of a shape or an icon, turned by an angle in radians."""
    if shape not in ICONS:
        return [(outline(shape, angle), True)]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flip = np.array([-1 if mirrored else 1, 1])
    return [(points * flip @ turn, filled) for points, filled in icons.icon(shape)]


def canvas(size: int, rgb: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A plain picture to draw on, `oversample` times larger than the frame."""
    side = size * oversample(size)
    picture = Image.new("RGB", (side, side), rgb)
    return picture, ImageDraw.Draw(picture)


def to_pixels(picture: Image.Image, size: int) -> np.ndarray:
    """Frame of uint8, (H, W, 3)."""
    return np.asarray(picture.reduce(oversample(size)))


def draw_shape(
    draw: ImageDraw.ImageDraw,
    shape: str,
    centre: tuple,
    radius: float,
    angle: float,
    rgb: tuple,
    hole: tuple = (0, 0, 0),
    *,
    mirrored: bool = False,
) -> None:
    """Draw a filled shape; centre and radius are fractions of the frame's side."""
    side = draw.im.size[0]
    for corners, filled in parts(shape, angle, mirrored=mirrored):
        points = (corners * radius + np.asarray(centre)) * side
        draw.polygon([tuple(p) for p in points], fill=rgb if filled else hole)
