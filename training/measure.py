"""What a finished clip shows, measured from its pixels alone.

Frames are uint8 (T, H, W, 3). All measures work at any frame size.
"""

from functools import cache

import numpy as np

from training.world import figures, shapes
from training.world.lexicon import DIRECTIONS, FIGURE, FIRST, ICONS, SHAPES, Lexicon

_DISTINCT = 70
"""Distance in RGB from the background at which a pixel belongs to the object."""
_MOVED = 0.12
"""Fraction of the frame that a centre must travel to count as moved."""
_GRID = 32


def background_of(frame: np.ndarray) -> np.ndarray:
    """Colour of a plain background: the median of the frame's rim."""
    rim = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
    return np.median(rim, axis=0)


def object_mask(frame: np.ndarray) -> np.ndarray:
    """Pixels that differ from the background, bool (H, W)."""
    distance = np.linalg.norm(frame.astype(float) - background_of(frame), axis=2)
    return distance > _DISTINCT


def object_colour(frames: np.ndarray) -> np.ndarray | None:
    """Median RGB of the object over the clip; None where there is no object."""
    pixels = [frame[object_mask(frame)] for frame in frames]
    pixels = np.concatenate(pixels)
    return np.median(pixels, axis=0) if len(pixels) >= 10 * len(frames) else None


def nearest_colour(rgb: np.ndarray | None, lexicon: Lexicon = FIRST) -> str | None:
    """Name of the nearest colour of the palette."""
    colours = lexicon.colours
    if rgb is None:
        return None
    return min(colours, key=lambda name: np.linalg.norm(np.asarray(colours[name]) - rgb))


def edge_width(frames: np.ndarray) -> float:
    """Median width in pixels over which a square's edge goes from 10 to 90 %, NaN without one.

    Looks along the rows and columns through the middle half of an object that stands nearly
    upright. A drawn picture has 1.5: its edge pixels are smooth, and values between two pixels
    are taken from the line that joins them.
    """
    colour = object_colour(frames)
    widths: list[float] = []
    if colour is not None:
        for frame in frames:
            background = background_of(frame)
            way = colour - background
            share = (frame.astype(float) - background) @ way / (way @ way)
            for plane in (share, share.T):
                widths += [w for line in _through_the_middle(plane) for w in _rises(line)]
    return float(np.median(widths)) if widths else float("nan")


def _through_the_middle(share: np.ndarray) -> np.ndarray:
    inside = np.flatnonzero((share > 0.5).any(axis=1))
    if len(inside) < 8:
        return share[:0]
    quarter = len(inside) // 4
    return share[inside[quarter] : inside[-quarter]]


def _rises(line: np.ndarray) -> list[float]:
    """Widths of the first rise from either end, where both of its ends are in the picture."""
    widths = []
    for values in (line, line[::-1]):
        high = int(np.argmax(values >= 0.9))
        below = np.flatnonzero(values[:high] <= 0.1)
        if high and len(below):
            low = int(below[-1])
            start = low + (0.1 - values[low]) / (values[low + 1] - values[low])
            end = high - (values[high] - 0.9) / (values[high] - values[high - 1])
            widths.append(float(end - start))
    return widths


def centres(frames: np.ndarray) -> np.ndarray:
    """Centre of the object in each frame, (T, 2) as fractions; NaN where there is none."""
    result = np.full((len(frames), 2), np.nan)
    for index, frame in enumerate(frames):
        ys, xs = np.nonzero(object_mask(frame))
        if len(xs) >= 10:
            result[index] = xs.mean() / frame.shape[1], ys.mean() / frame.shape[0]
    return result


def direction(frames: np.ndarray) -> str | None:
    """`left`, `right`, `up` or `down` from the first to the last centre; None if it stays."""
    path = centres(frames)
    path = path[~np.isnan(path[:, 0])]
    if len(path) < 2:
        return None
    dx, dy = path[-1] - path[0]
    if max(abs(dx), abs(dy)) < _MOVED:
        return None
    left, right, up, down = DIRECTIONS
    if abs(dx) > abs(dy):
        return left if dx < 0 else right
    return up if dy < 0 else down


def is_monotone(frames: np.ndarray, slack: float = 0.02) -> bool:
    """Say whether the centre goes from its first to its last place without turning back."""
    path = centres(frames)
    if np.isnan(path).any():
        return False
    way = path[-1] - path[0]
    length = np.linalg.norm(way)
    if length < _MOVED:
        return False
    steps = np.diff(path @ (way / length))
    middle = (path[len(path) // 2] - path[0]) @ way / length**2
    return bool((steps > -slack).all() and 0.15 < middle < 0.85)


def _normalised(mask: np.ndarray) -> np.ndarray | None:
    """The mask moved to the middle and scaled to one area, on a small grid."""
    ys, xs = np.nonzero(mask)
    if len(xs) < 10:
        return None
    scale = np.sqrt(len(xs)) * 1.2
    grid = (np.arange(_GRID) + 0.5) / _GRID * 2 - 1
    y = np.round(ys.mean() + grid * scale).astype(int)
    x = np.round(xs.mean() + grid * scale).astype(int)
    inside = np.ix_((y >= 0) & (y < mask.shape[0]), (x >= 0) & (x < mask.shape[1]))
    result = np.zeros((_GRID, _GRID), dtype=bool)
    result[inside] = mask[
        np.ix_(y[(y >= 0) & (y < mask.shape[0])], x[(x >= 0) & (x < mask.shape[1])])
    ]
    return result


@cache
def _templates() -> dict[str, np.ndarray]:
    """For each shape its normalised masks in several turns or stances."""
    found: dict[str, np.ndarray] = {}
    for shape in (*SHAPES, *ICONS):
        masks = []
        for angle in np.linspace(0, 2 * np.pi, 48, endpoint=False):
            picture, draw = shapes.canvas(96, (0, 0, 0))
            shapes.draw_shape(draw, shape, (0.5, 0.5), 0.25, angle, (255, 255, 255))
            masks.append(_normalised(shapes.to_pixels(picture, 96)[..., 0] > 127))
        found[shape] = np.stack(masks)
    arms = [(a, b) for a in (0.2, 0.5, 1.4, 2.3) for b in (0.2, 0.5, 1.4, 2.5)]
    stances = []
    for a, b in arms:
        limbs = figures.NEUTRAL | {"r_arm": (a, a), "l_arm": (b, b)}
        picture, draw = shapes.canvas(96, (0, 0, 0))
        pose = figures.joints(limbs) * figures.HEIGHT + 0.5
        figures.draw_figure(draw, pose, (255, 255, 255))
        stances.append(_normalised(shapes.to_pixels(picture, 96)[..., 0] > 127))
    found[FIGURE] = np.stack(stances)
    return found


def shape_scores(frames: np.ndarray, lexicon: Lexicon = FIRST) -> dict[str, float]:
    """How well each shape and the figure fit: mean over frames of the best overlap."""
    totals = dict.fromkeys((*lexicon.shapes, FIGURE), 0.0)
    for frame in frames:
        mask = _normalised(object_mask(frame))
        if mask is None:
            continue
        for shape in totals:
            masks = _templates()[shape]
            both = (masks & mask).sum((1, 2))
            either = (masks | mask).sum((1, 2))
            totals[shape] += float((both / either).max()) / len(frames)
    return totals


def best_shape(frames: np.ndarray, lexicon: Lexicon = FIRST, every: int = 4) -> str | None:
    """Name of the shape that fits best in every n-th frame, None where nothing is seen."""
    scores = shape_scores(frames[::every], lexicon)
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0.3 else None


def coverage(frames: np.ndarray, skeleton: np.ndarray) -> float:
    """Share of the skeleton's pixels that the figure covers, over all frames."""
    bones = skeleton.max(axis=3) > 127
    body = np.stack([object_mask(frame) for frame in frames])
    return float((bones & body).sum() / max(1, bones.sum()))


def overlap(frames: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union of the objects of two clips, over all frames."""
    one = np.stack([object_mask(frame) for frame in frames])
    other = np.stack([object_mask(frame) for frame in wanted])
    return float((one & other).sum() / max(1, (one | other).sum()))


def same_colour(rgb: np.ndarray | None, wanted: np.ndarray, within: float = 60) -> bool:
    """Say whether two colours are close, and no other named colour is closer."""
    return rgb is not None and float(np.linalg.norm(rgb - wanted)) < within
