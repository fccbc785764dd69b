"""Simple flat icons: each is a list of filled outlines and of holes, as `shapes` draws them.

Coordinates are in units of the icon's radius, the middle at the origin, y down. A hole shows the
background, so that an icon needs no second colour.
"""

import numpy as np

Part = tuple[np.ndarray, bool]
"""Corners (N, 2), and whether they are filled (True) or a hole (False)."""


def disc(x: float, y: float, rx: float, ry: float | None = None) -> np.ndarray:
    """A circle or an ellipse as 48 corners."""
    turns = np.arange(48) * 2 * np.pi / 48
    return np.stack([x + rx * np.cos(turns), y + (ry or rx) * np.sin(turns)], axis=1)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _mirrored(points: list[tuple[float, float]]) -> list[np.ndarray]:
    corners = np.array(points)
    return [corners, corners * [-1, 1]]


def _cat() -> list[Part]:
    ears = _mirrored([(-0.98, -1.12), (-0.28, -0.62), (-0.88, -0.02)])
    eyes = [disc(-0.4, 0.02, 0.17, 0.22), disc(0.4, 0.02, 0.17, 0.22)]
    nose = np.array([(-0.2, 0.36), (0.2, 0.36), (0.0, 0.62)])
    head = [disc(0.0, 0.2, 1.02, 0.88), *ears]
    return [(p, True) for p in head] + [(p, False) for p in (*eyes, nose)]


def _dog() -> list[Part]:
    # Long ears that hang beside the head, apart from it by a thin line.
    lines = [disc(-0.78, -0.1, 0.36, 0.74), disc(0.78, -0.1, 0.36, 0.74)]
    ears = [disc(-0.88, -0.06, 0.34, 0.74), disc(0.88, -0.06, 0.34, 0.74)]
    head = [disc(0.0, -0.2, 0.8, 0.74), disc(0.0, 0.42, 0.56, 0.5)]
    face = [disc(-0.3, -0.22, 0.13), disc(0.3, -0.22, 0.13), disc(0.0, 0.3, 0.24, 0.17)]
    parts = [(p, True) for p in head] + [(p, False) for p in lines]
    return parts + [(p, True) for p in ears] + [(p, False) for p in face]


def _house() -> list[Part]:
    roof = np.array([(-1.12, -0.08), (0.0, -1.08), (1.12, -0.08)])
    solid = [box(0.42, -0.98, 0.74, -0.3), roof, box(-0.84, -0.1, 0.84, 0.98)]
    holes = [box(-0.58, 0.2, -0.12, 0.62), box(0.16, 0.3, 0.56, 0.98)]
    return [(p, True) for p in solid] + [(p, False) for p in holes]


def _tree() -> list[Part]:
    tiers = [
        np.array([(-w, low), (0.0, high), (w, low)])
        for w, low, high in ((0.62, -0.38, -1.2), (0.8, 0.12, -0.76), (0.98, 0.64, -0.3))
    ]
    return [(p, True) for p in (*tiers, box(-0.17, 0.6, 0.17, 1.1))]


def _car() -> list[Part]:
    # Seen from the side, driving right.
    cabin = np.array([(-0.72, -0.02), (-0.46, -0.62), (0.3, -0.62), (0.68, -0.02)])
    body = np.array(
        [(-1.2, 0.06), (-1.06, -0.08), (0.86, -0.08), (1.2, 0.12), (1.2, 0.44), (-1.2, 0.44)]
    )
    windows = [
        np.array([(-0.5, -0.1), (-0.34, -0.46), (-0.1, -0.46), (-0.1, -0.1)]),
        np.array([(0.04, -0.1), (0.04, -0.46), (0.22, -0.46), (0.46, -0.1)]),
    ]
    parts = [(cabin, True), (body, True), *((w, False) for w in windows)]
    for x in (-0.62, 0.62):
        parts += [(disc(x, 0.44, 0.38), False), (disc(x, 0.44, 0.29), True)]
    return parts


def _heart() -> list[Part]:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [(np.stack([x, -y - 2.5], axis=1) / 14.5, True)]


def _moon() -> list[Part]:
    # A crescent: the outer arc of one circle, and back along the inner arc of another.
    outer, inner = np.linspace(0.9, 2 * np.pi - 0.9, 40), np.linspace(-1.25, 1.25, 40)
    tip = np.array([np.cos(0.9), np.sin(0.9)])
    radius = tip[1] / np.sin(1.25)
    back = tip[0] + radius * np.cos(1.25)
    arc = np.stack([back - radius * np.cos(inner), radius * np.sin(inner)], axis=1)
    ring = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    return [(np.concatenate([ring, arc]) * 1.1 + [0.18, 0], True)]


def _arrow() -> list[Part]:
    # Points right.
    corners = [(-1.1, -0.26), (0.1, -0.26), (0.1, -0.78), (1.12, 0.0)]
    lower = [(x, -y) for x, y in corners[2::-1]]
    return [(np.array([*corners, *lower]), True)]


_PARTS = {
    "cat": _cat(),
    "dog": _dog(),
    "house": _house(),
    "tree": _tree(),
    "car": _car(),
    "heart": _heart(),
    "moon": _moon(),
    "arrow": _arrow(),
}


def icon(name: str) -> list[Part]:
    """The parts of an icon, in the order in which they are drawn."""
    return _PARTS[name]
