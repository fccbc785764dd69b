"""A scene in words: few templates, some synonyms, some details left out."""

from collections.abc import Callable

import numpy as np

from training.world.lexicon import FIRST, ICONS, Lexicon
from training.world.scenes import Scene

SHAPE_WORDS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "circle", "ball"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "figure": ("stick figure", "stick figure", "person"),
}

MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("moves left", "moves left", "moves to the left", "slides left", "moving left"),
    "right": ("moves right", "moves right", "moves to the right", "slides right", "moving right"),
    "up": ("moves up", "moves up", "rises", "slides up", "moving up"),
    "down": ("moves down", "moves down", "falls", "slides down", "moving down"),
    "bounce": ("bounces", "bouncing"),
    "grow": ("grows", "growing", "gets bigger"),
    "shrink": ("shrinks", "shrinking", "gets smaller"),
    "spin": ("spins", "spinning", "rotates"),
    "stay": ("stays still", "does not move"),
    "walk_left": ("walks left", "walks to the left", "walking left"),
    "walk_right": ("walks right", "walks to the right", "walking right"),
    "wave": ("waves", "waving", "waves a hand"),
    "jump": ("jumps", "jumping"),
    "dance": ("dances", "dancing"),
}

ICON_WORDS: dict[str, tuple[str, ...]] = {name: (name,) for name in ICONS}
GROWN_MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "diagonal": ("moves diagonally", "moves diagonally", "moving diagonally"),
    "orbit": ("moves in a circle", "moves in a circle", "moving in a circle"),
    "apart": ("move apart", "moving apart"),
    "together": ("move together", "moving together", "move towards each other"),
}
PACE_WORDS: dict[str, tuple[str, ...]] = {
    "fast": ("fast", "fast", "quickly"),
    "slow": ("slowly", "slowly", "slow"),
}
_SHAPES, _MOTIONS = SHAPE_WORDS | ICON_WORDS, MOTION_WORDS | GROWN_MOTION_WORDS

FILLERS = (
    "",
    "",
    "",
    "",
    "animation of ",
    "a simple animation of ",
    "a cartoon of ",
    "a video of ",
)
BACKGROUND_PHRASES = ("on a {} background", "on a {} background", "on {}", "with a {} background")
_GLUE = "the an in and is of a . ,"


def _choose(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def describe(
    scene: Scene,
    rng: np.random.Generator,
    *,
    plain: bool = False,
    complete: bool = False,
    lexicon: Lexicon = FIRST,
) -> str:
    """Put a scene into words.

    Args:
        scene: What to describe; colours without a name are never mentioned.
        rng: Chooses synonyms, fillers and what is left out.
        plain: Take the first wording of everything.
        complete: Leave nothing out.
        lexicon: That of which the scene was drawn.
    """
    complete = complete or plain
    pick = (lambda options: options[0]) if plain else (lambda options: _choose(rng, options))
    article = "a" if plain else _choose(rng, ("a", "a", "the"))
    named = scene.named_colours and (complete or rng.uniform() > 0.06)
    parts = [_object(scene, article, pick, lexicon, named=named)]
    if scene.other is not None:
        parts += ["and", _object(scene.other, article, pick, lexicon, named=named)]
    if complete or scene.other is not None or rng.uniform() > 0.05:
        parts.append(pick(_MOTIONS[scene.motion]))
        if scene.pace:
            parts.append(pick(PACE_WORDS[scene.pace]))
    if scene.named_colours and (complete or rng.uniform() > 0.15):
        phrase = pick(BACKGROUND_PHRASES).format(pick(lexicon.background_words[scene.background]))
        parts.append(phrase.replace(" a orange", " an orange"))
    return pick(FILLERS) + " ".join(parts)


def _object(scene: Scene, article: str, pick: Callable, lexicon: Lexicon, *, named: bool) -> str:
    words = [pick(lexicon.colour_words[scene.colour])] if named else []
    words.append(pick(_SHAPES[scene.shape]))
    if article == "a" and words[0] in {"orange", "arrow"}:
        article = "an"
    return " ".join([article, *words])


def vocabulary(lexicon: Lexicon = FIRST) -> list[str]:
    """Every word that a prompt can hold, in a stable order: those of `FIRST` come first."""
    tables = (FIRST.colour_words, FIRST.background_words, SHAPE_WORDS, MOTION_WORDS)
    phrases = [phrase for table in tables for options in table.values() for phrase in options]
    phrases += [*FILLERS, *(phrase.replace("{}", "") for phrase in BACKGROUND_PHRASES), _GLUE]
    first = sorted({word for phrase in phrases for word in phrase.split()})
    if lexicon is FIRST:
        return first
    tables = (lexicon.colour_words, lexicon.background_words, ICON_WORDS)
    tables += (GROWN_MOTION_WORDS, PACE_WORDS)
    phrases = [phrase for table in tables for options in table.values() for phrase in options]
    return first + sorted({word for phrase in phrases for word in phrase.split()} - set(first))
