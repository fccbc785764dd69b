"""Frames of a bouncing ball, and the mp4 that they go into."""

from __future__ import annotations

import colorsys
import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np


def frames(prompt: str, settings: Mapping[str, Any]) -> Iterator[np.ndarray]:
    """Yield frames uint8 (H, W, 3), RGB, of a ball on its way between the walls."""
    width, height = settings["width"], settings["height"]
    drawn = random.Random(settings["seed"])
    radius = min(width, height) / 6
    x, y = drawn.uniform(0, width), drawn.uniform(0, height)
    dx, dy = drawn.uniform(2, 6), drawn.uniform(2, 6)
    rows, columns = np.mgrid[0:height, 0:width]
    for _ in range(settings["num_frames"]):
        picture = np.full((height, width, 3), 245, np.uint8)
        centre_x, centre_y = between_walls(x, width, radius), between_walls(y, height, radius)
        picture[(columns - centre_x) ** 2 + (rows - centre_y) ** 2 < radius**2] = colour(prompt)
        yield picture
        x, y = x + dx, y + dy


def between_walls(way: float, length: int, radius: float) -> float:
    """Fold a straight way into the space between two walls."""
    space = length - 2 * radius
    return radius + space - abs(way % (2 * space) - space)


def colour(prompt: str) -> tuple[int, int, int]:
    """Return the colour of a prompt, 0-255 for red, green and blue."""
    hue = hashlib.sha256(prompt.encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.8, 0.9)
    return int(red * 255), int(green * 255), int(blue * 255)


def write(path: Path, pictures: Iterator[np.ndarray], *, fps: int, recipe: dict[str, Any]) -> None:
    """Write an mp4 (H.264) with its recipe in the metadata."""
    options = {"movflags": "faststart+use_metadata_tags"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata["comment"] = json.dumps(recipe)
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
