"""A scene in words: few templates, some synonyms, some details left out."""

import numpy as np

from training.world.palette import BACKGROUND_WORDS, COLOUR_WORDS
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
    scene: Scene, rng: np.random.Generator, *, plain: bool = False, complete: bool = False
) -> str:
    """Put a scene into words.

    Args:
        scene: What to describe; colours without a name are never mentioned.
        rng: Chooses synonyms, fillers and what is left out.
        plain: Take the first wording of everything.
        complete: Leave nothing out.
    """
    complete = complete or plain
    pick = (lambda options: options[0]) if plain else (lambda options: _choose(rng, options))
    parts = ["a" if plain else _choose(rng, ("a", "a", "the"))]
    if scene.named_colours and (complete or rng.uniform() > 0.06):
        parts.append(pick(COLOUR_WORDS[scene.colour]))
    parts.append(pick(SHAPE_WORDS[scene.shape]))
    if complete or rng.uniform() > 0.05:
        parts.append(pick(MOTION_WORDS[scene.motion]))
    if scene.named_colours and (complete or rng.uniform() > 0.15):
        parts.append(pick(BACKGROUND_PHRASES).format(pick(BACKGROUND_WORDS[scene.background])))
    text = " ".join(parts)
    if parts[1] == "orange" and parts[0] == "a":
        text = "an" + text[1:]
    return pick(FILLERS) + text


def vocabulary() -> list[str]:
    """Every word that a prompt can hold, in a stable order."""
    tables = (COLOUR_WORDS, BACKGROUND_WORDS, SHAPE_WORDS, MOTION_WORDS)
    phrases = [phrase for table in tables for options in table.values() for phrase in options]
    phrases += [*FILLERS, *(phrase.replace("{}", "") for phrase in BACKGROUND_PHRASES), _GLUE]
    return sorted({word for phrase in phrases for word in phrase.split()})
