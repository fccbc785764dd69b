"""Plain shapes as pixels, smooth at the edges."""

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLE = 4


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


def canvas(size: int, rgb: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A plain picture to draw on, `OVERSAMPLE` times larger than the frame."""
    picture = Image.new("RGB", (size * OVERSAMPLE, size * OVERSAMPLE), rgb)
    return picture, ImageDraw.Draw(picture)


def to_pixels(picture: Image.Image) -> np.ndarray:
    """Frame of uint8, (H, W, 3)."""
    return np.asarray(picture.reduce(OVERSAMPLE))


def draw_shape(
    draw: ImageDraw.ImageDraw,
    size: int,
    shape: str,
    centre: tuple,
    radius: float,
    angle: float,
    rgb: tuple,
) -> None:
    """Draw a filled shape; centre and radius are fractions of the frame's side."""
    scale = size * OVERSAMPLE
    points = (outline(shape, angle) * radius + np.asarray(centre)) * scale
    draw.polygon([tuple(p) for p in points], fill=rgb)
