"""What a clip shows, drawn at random from a fixed seed."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from training.world.palette import BACKGROUNDS, COLOURS, UNSEEN_PAIRS

SHAPES = ("circle", "square", "triangle", "star")
FIGURE = "figure"
DIRECTIONS = ("left", "right", "up", "down")
SHAPE_MOTIONS = (*DIRECTIONS, "bounce", "grow", "shrink", "spin", "stay")
FIGURE_MOTIONS = ("walk_left", "walk_right", "wave", "jump", "dance")

# Directions are the hardest thing to learn from words, so they are drawn more often.
_SHAPE_MOTION_WEIGHTS = np.array([2, 2, 2, 2, 1, 1, 1, 1, 1], dtype=float)
HELD_OUT_PERCENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One object, one motion, one plain background.

    Lengths are fractions of the frame's side, so a scene can be drawn at any size.
    """

    shape: str
    colour: str
    background: str
    motion: str
    radius: float
    start: tuple[float, float]
    end: tuple[float, float]
    angle: float = 0.0
    """Turn of the shape at the first frame, in radians."""
    turn: float = 0.0
    """Turn over the whole clip, in radians."""
    rgb: tuple[int, int, int] = (0, 0, 0)
    background_rgb: tuple[int, int, int] = (0, 0, 0)
    phase: tuple[float, ...] = field(default=())
    """Free numbers of a figure's motion: speed, phase, side."""
    named_colours: bool = True
    """False where the pixels' colours have no name and only a picture can carry them."""


def is_held_out(shape: str, colour: str, motion: str) -> bool:
    """Say whether this combination is kept out of all training."""
    key = f"{shape}/{colour}/{motion}".encode()
    return hashlib.sha256(key).digest()[0] * 100 < HELD_OUT_PERCENT * 256


def _path(motion: str, radius: float, rng: np.random.Generator) -> tuple[tuple, tuple]:
    """Start and end of the centre, so that the whole move fits into the frame."""
    low, high = radius + 0.03, 1 - radius - 0.03
    slack = (high - low) * 0.2
    near, far = low + rng.uniform(0, slack), high - rng.uniform(0, slack)
    across = 0.5 + rng.uniform(-0.1, 0.1)
    match motion:
        case "left":
            return (far, across), (near, across)
        case "right":
            return (near, across), (far, across)
        case "up":
            return (across, far), (across, near)
        case "down" | "bounce":
            return (across, near), (across, far)
    centre = (0.5 + rng.uniform(-0.08, 0.08), 0.5 + rng.uniform(-0.08, 0.08))
    return centre, centre


def _figure_path(motion: str, rng: np.random.Generator) -> tuple[tuple, tuple]:
    ground = 0.5 + rng.uniform(-0.03, 0.03)
    side = 0.24 + rng.uniform(0, 0.05)
    match motion:
        case "walk_left":
            return (1 - side, ground), (side, ground)
        case "walk_right":
            return (side, ground), (1 - side, ground)
    x = 0.5 + rng.uniform(-0.08, 0.08)
    return (x, ground), (x, ground)


def _pick_names(
    rng: np.random.Generator, *, figure: bool, held_out: bool | None
) -> tuple[str, str, str, str]:
    while True:
        shape = FIGURE if figure else str(rng.choice(SHAPES))
        if figure:
            motion = str(rng.choice(FIGURE_MOTIONS))
        else:
            weights = _SHAPE_MOTION_WEIGHTS / _SHAPE_MOTION_WEIGHTS.sum()
            motion = str(rng.choice(SHAPE_MOTIONS, p=weights))
        colour, background = str(rng.choice(list(COLOURS))), str(rng.choice(list(BACKGROUNDS)))
        if (shape, motion) == ("circle", "spin") or (colour, background) in UNSEEN_PAIRS:
            continue
        if held_out is None or is_held_out(shape, colour, motion) == held_out:
            return shape, colour, background, motion


def _free_colours(rng: np.random.Generator) -> tuple[tuple, tuple]:
    """Two colours without a name, far enough apart to be seen."""
    while True:
        pair = rng.integers(10, 250, size=(2, 3))
        if np.abs(pair[0] - pair[1]).sum() > 220:
            return tuple(map(int, pair[0])), tuple(map(int, pair[1]))


def draw_scene(
    rng: np.random.Generator,
    *,
    figure: bool = False,
    held_out: bool | None = False,
    free_colours: bool = False,
) -> Scene:
    """Draw a scene; `held_out=None` takes any combination."""
    shape, colour, background, motion = _pick_names(rng, figure=figure, held_out=held_out)
    radius = float(rng.uniform(0.19, 0.24))
    start, end = _figure_path(motion, rng) if figure else _path(motion, radius, rng)
    rgb, background_rgb = COLOURS[colour], BACKGROUNDS[background]
    if free_colours:
        rgb, background_rgb = _free_colours(rng)
    return Scene(
        shape=shape,
        colour=colour,
        background=background,
        motion=motion,
        radius=radius,
        start=start,
        end=end,
        angle=float(rng.uniform(-0.15, 0.15)),
        turn=float(np.pi * rng.choice([-1, 1])) if motion == "spin" else 0.0,
        rgb=rgb,
        background_rgb=background_rgb,
        phase=tuple(rng.uniform(0, 1, size=6).tolist()),
        named_colours=not free_colours,
    )
