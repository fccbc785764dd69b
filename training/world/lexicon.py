"""What a model may be asked for: two lists, `FIRST` and the longer one that grew out of it.

In `FIRST` objects and backgrounds use different words, so that no prompt needs word order to say
which of the two is which. In `GROWN` every colour is a background too, and the other way round.
"""

from dataclasses import dataclass, field

import numpy as np

from training.world.palette import (
    BACKGROUND_WORDS,
    BACKGROUNDS,
    COLOUR_WORDS,
    COLOURS,
    UNSEEN_PAIRS,
)

Words = dict[str, tuple[str, ...]]
RGB = tuple[int, int, int]

DIRECTIONS = ("left", "right", "up", "down")
SHAPES = ("circle", "square", "triangle", "star")
ICONS = ("cat", "dog", "house", "tree", "car", "heart", "moon", "arrow")
RELATIONS = ("apart", "together")
FIGURE = "figure"
_DISTINCT = 110
"""Distance in RGB below which two named colours are hard to tell apart on a small picture."""


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Names with their values, their words, and how often they are drawn."""

    colours: dict[str, RGB] = field(default_factory=lambda: COLOURS)
    backgrounds: dict[str, RGB] = field(default_factory=lambda: BACKGROUNDS)
    colour_words: Words = field(default_factory=lambda: COLOUR_WORDS)
    background_words: Words = field(default_factory=lambda: BACKGROUND_WORDS)
    shapes: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHAPES, 1.0))
    motions: dict[str, float]
    unseen: frozenset[tuple[str, str]] = UNSEEN_PAIRS
    """Pairs of colour and background that are not drawn."""
    paced: float = 0.0
    """Share of moving objects that are fast or slow."""
    to_the_edge: float = 0.0
    """Share of paths that go on until the object touches the frame's edge."""
    pairs: float = 0.0
    """Share of the scenes without a figure that have two objects."""

    def shares(self, table: dict[str, float]) -> np.ndarray | None:
        """Probabilities of a table's names; None where all are drawn equally often."""
        weights = np.array(list(table.values()))
        return None if (weights == weights[0]).all() else weights / weights.sum()


# Directions are the hardest thing to learn from words, so they are drawn more often.
_MOTIONS = dict.fromkeys(DIRECTIONS, 2.0) | dict.fromkeys(
    ("bounce", "grow", "shrink", "spin", "stay"), 1.0
)
FIRST = Lexicon(motions=_MOTIONS)


def _close(one: RGB, other: RGB) -> bool:
    return float(np.linalg.norm(np.subtract(one, other))) < _DISTINCT


_ALL = COLOURS | BACKGROUNDS
_ALL_WORDS = COLOUR_WORDS | BACKGROUND_WORDS
GROWN = Lexicon(
    colours=_ALL,
    backgrounds=_ALL,
    colour_words=_ALL_WORDS,
    background_words=_ALL_WORDS,
    # Stars and triangles are what the first model drew worst, when they spin above all.
    shapes={"circle": 1.0, "square": 1.0, "triangle": 2.0, "star": 2.0}
    | dict.fromkeys(ICONS, 0.75),
    motions=_MOTIONS | {"spin": 3.0, "diagonal": 1.5, "orbit": 1.0},
    unseen=frozenset((a, b) for a in _ALL for b in _ALL if _close(_ALL[a], _ALL[b])),
    paced=0.3,
    to_the_edge=0.2,
    pairs=0.08,
)
LEXICONS = {"first": FIRST, "grown": GROWN}
