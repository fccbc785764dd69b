"""What a clip shows, drawn at random from a fixed seed."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from training.world.lexicon import DIRECTIONS, FIGURE, FIRST, ICONS, RELATIONS, SHAPES, Lexicon

__all__ = ["DIRECTIONS", "FIGURE", "SHAPES", "Scene", "draw_scene", "is_held_out"]

FIGURE_MOTIONS = ("walk_left", "walk_right", "wave", "jump", "dance")
PACES = {"fast": 1.8, "slow": 0.45}
"""How much of its motion an object makes in a clip: 1 without such a word."""
_PACED = (*DIRECTIONS, "bounce", "spin", "diagonal", "orbit")
ICON_SIZE = 1.15
"""How much larger icons are than shapes: they have smaller parts."""
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
    pace: str = ""
    """A name of `PACES`, or nothing."""
    other: "Scene | None" = None
    """A second object, on the same background, whose `motion` is the relation of the two."""

    @classmethod
    def from_dict(cls, values: dict) -> "Scene":
        """The scene that `dataclasses.asdict` wrote, back from JSON, which has no tuples."""
        known = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if known.get("other"):
            known["other"] = cls.from_dict(known["other"])
        return cls(**known)


def is_held_out(shape: str, colour: str, motion: str) -> bool:
    """Say whether this combination is kept out of all training."""
    key = f"{shape}/{colour}/{motion}".encode()
    return hashlib.sha256(key).digest()[0] * 100 < HELD_OUT_PERCENT * 256


def _path(
    motion: str, radius: float, rng: np.random.Generator, margin: float = 0.03
) -> tuple[tuple, tuple]:
    """Start and end of the centre, so that the whole move fits into the frame."""
    low, high = radius + margin, 1 - radius - margin
    slack = (high - low) * 0.2
    near, far = low + rng.uniform(0, slack), high - rng.uniform(0, slack)
    across = 0.5 + rng.uniform(-0.1, 0.1)
    if motion == "diagonal":
        xs, ys = (tuple(map(float, rng.permutation([near, far]))) for _ in range(2))
        return (xs[0], ys[0]), (xs[1], ys[1])
    if motion == "orbit":
        # Around the middle; the end says where on the circle it begins.
        turn, distance = rng.uniform(0, 2 * np.pi), 0.47 - 1.2 * radius
        return (0.5, 0.5), (0.5 + distance * np.cos(turn), 0.5 + distance * np.sin(turn))
    paths = {
        "left": ((far, across), (near, across)),
        "right": ((near, across), (far, across)),
        "up": ((across, far), (across, near)),
        "down": ((across, near), (across, far)),
        "bounce": ((across, near), (across, far)),
        "apart": ((0.5 + 1.25 * radius, across), (high, across)),
        "together": ((high, across), (0.5 + 1.25 * radius, across)),
    }
    if motion in paths:
        return paths[motion]
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
    rng: np.random.Generator, lexicon: Lexicon, *, figure: bool, held_out: bool | None
) -> tuple[str, str, str, str]:
    shapes, motions = list(lexicon.shapes), list(lexicon.motions)
    while True:
        if figure:
            shape, motion = FIGURE, str(rng.choice(FIGURE_MOTIONS))
        else:
            shape = str(rng.choice(shapes, p=lexicon.shares(lexicon.shapes)))
            motion = str(rng.choice(motions, p=lexicon.shares(lexicon.motions)))
        colour = str(rng.choice(list(lexicon.colours)))
        background = str(rng.choice(list(lexicon.backgrounds)))
        if (shape, motion) == ("circle", "spin") or (colour, background) in lexicon.unseen:
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
    lexicon: Lexicon = FIRST,
) -> Scene:
    """Draw a scene; `held_out=None` takes any combination."""
    if not figure and lexicon.pairs and rng.uniform() < lexicon.pairs:
        return _draw_pair(rng, lexicon, held_out=held_out)
    shape, colour, background, motion = _pick_names(rng, lexicon, figure=figure, held_out=held_out)
    radius, margin = float(rng.uniform(0.19, 0.24)), 0.03
    if lexicon.to_the_edge and rng.uniform() < lexicon.to_the_edge:
        margin = -0.25 * radius
    start, end = _figure_path(motion, rng) if figure else _path(motion, radius, rng, margin=margin)
    rgb, background_rgb = lexicon.colours[colour], lexicon.backgrounds[background]
    if free_colours:
        rgb, background_rgb = _free_colours(rng)
    angle = float(rng.uniform(-0.15, 0.15))
    turn = float(np.pi * rng.choice([-1, 1])) if motion == "spin" else 0.0
    if shape in ICONS:
        # A house stands upright, and an arrow points where it goes.
        angle = _heading(start, end) if shape == "arrow" and motion != "orbit" else angle / 3
        radius *= ICON_SIZE
    return Scene(
        shape=shape,
        colour=colour,
        background=background,
        motion=motion,
        radius=radius,
        start=start,
        end=end,
        angle=angle,
        turn=turn,
        rgb=rgb,
        background_rgb=background_rgb,
        phase=tuple(rng.uniform(0, 1, size=6).tolist()),
        named_colours=not free_colours,
        pace=_draw_pace(rng, motion, lexicon),
    )


def _heading(start: tuple, end: tuple) -> float:
    return float(np.arctan2(end[1] - start[1], end[0] - start[0]))


def _draw_pace(rng: np.random.Generator, motion: str, lexicon: Lexicon) -> str:
    if motion not in _PACED or not lexicon.paced or rng.uniform() > lexicon.paced:
        return ""
    return str(rng.choice(list(PACES)))


def _draw_pair(rng: np.random.Generator, lexicon: Lexicon, *, held_out: bool | None) -> Scene:
    """Two small objects side by side that move away from each other, or closer together."""
    motion, radius = str(rng.choice(RELATIONS)), float(rng.uniform(0.12, 0.15))
    start, end = _path(motion, radius, rng)
    across = {"motion": motion, "radius": radius}
    while True:
        names = _pick_names(rng, lexicon, figure=False, held_out=None)
        other = _pick_names(rng, lexicon, figure=False, held_out=None)
        background = names[2]
        seen = (other[1], background) not in lexicon.unseen
        kept = held_out is None or is_held_out(names[0], names[1], motion) == held_out
        if seen and kept and names[:2] != other[:2]:
            break
    # The first in the prompt is on the left.
    sides = ((names, 1 - start[0], 1 - end[0]), (other, start[0], end[0]))
    first, second = (
        Scene(
            shape=shape,
            colour=colour,
            background=background,
            start=(x, start[1]),
            end=(other_x, end[1]),
            rgb=lexicon.colours[colour],
            background_rgb=lexicon.backgrounds[background],
            phase=(0.0,) * 6,
            **across,
        )
        for (shape, colour, _, _), x, other_x in sides
    )
    return replace(first, other=second)
