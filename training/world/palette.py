"""Colours and backgrounds, each with one RGB value and the words that mean it.

Objects and backgrounds use different words, so that no prompt needs word order
to say which of the two is which.
"""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 38, 38),
    "orange": (250, 140, 20),
    "yellow": (248, 214, 30),
    "green": (34, 150, 60),
    "cyan": (20, 195, 200),
    "blue": (40, 80, 230),
    "purple": (140, 50, 195),
    "pink": (250, 120, 185),
    "brown": (128, 76, 36),
    "black": (18, 18, 20),
}

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red",),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "brown": ("brown",),
    "black": ("black",),
}

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (248, 248, 246),
    "grey": (176, 178, 182),
    "sky": (180, 214, 248),
    "mint": (196, 236, 206),
    "night": (24, 28, 74),
}

BACKGROUND_WORDS: dict[str, tuple[str, ...]] = {
    "white": ("white",),
    "grey": ("grey", "gray"),
    "sky": ("sky",),
    "mint": ("mint",),
    "night": ("night",),
}

# Pairs that cannot be told apart on a small picture.
UNSEEN_PAIRS = frozenset({("black", "night"), ("brown", "night"), ("purple", "night")})
