"""Replaces the names of parameters in a text by those of the surface."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from tiomagic.display.next_steps import add_ways
from tiomagic.display.phrases.vocabulary import Surface, Vocabulary
from tiomagic_domain.features import Feature

PLAIN_TERMS: Final = (
    ("must be True or False", "must be true or false"),
    ("must be a list", "must be a JSON list"),
    ("must be a dict with text keys", "must be a JSON object"),
    ("this dict is", "this object is"),
    (", not str '", ", not '"),
    (", not None", ", not nothing"),
    (", or None for all", ""),
)
"""Terms of Python, and what people say who write no Python."""

NAMES: Final = re.compile(r"[_='\[]|must be |, not |dict|None")
"""What a text has that may name a parameter or use a term of Python; most have nothing of it."""
SHELL_TERMS: Final = (
    ("wait=False", "--detach"),
    ("lost=True", "--lost"),
    ("trust=True", "--trust"),
)
"""Options of a call that are no parameters of a model, and those of the commands."""
_FEATURES: Final = re.compile(rf"(?<![\w/.-])(?:{'|'.join(Feature)})(?![\w/.-])")


def reword(text: str, words: Vocabulary) -> str:
    """Return a text of the domain or of an adapter in the words of a surface.

    Args:
        text: Names parameters as in Python: those with a ``_`` in their name, and any that stand in
            quotes or before ``=``. A text in the words of the surface already stays as it is.
        words: Of the surface.
    """
    text = add_ways(text, words.ways)
    if words.surface is Surface.PYTHON or not NAMES.search(text):
        return text
    more = SHELL_TERMS if words.surface is Surface.SHELL else ()
    between = "-" if words.surface is Surface.SHELL else " "
    text = _FEATURES.sub(lambda found: found[0].replace("_", between), text)
    for ours, plain in (*PLAIN_TERMS, *more):
        text = text.replace(ours, plain)
    return _pattern().sub(lambda found: _named(found, words), text)


def _named(found: re.Match[str], words: Vocabulary) -> str:
    name, value = found["name"], found["value"]
    if found["place"]:
        return words.name(f"{name}{found['place']}")
    if value:
        return words.assignment(name, value.strip("'"))
    plain = "_" not in name and not found["quote"] and found["equals"] is None
    return found[0] if plain else words.name(name)


@cache
def _pattern() -> re.Pattern[str]:
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # Only for people who err.

    names = {
        parameter.name
        for card in models().values()
        for schema in card.features.values()
        for parameter in (*schema.parameters, *schema.sizes)
    }
    known = "|".join(
        sorted(map(re.escape, names | {"model", "provider", "max_cost"}), key=len, reverse=True)
    )
    return re.compile(
        rf"(?<!--set )(?<![\w'=.\[-])(?P<quote>'?)(?P<name>{known})(?(quote)(?P=quote))(?![\w'-])"
        r"(?P<place>\[\d+\])?"
        r"(?:(?P<equals>=)(?P<value>'[\w.+-]+'|[\w.+-]*[\w])?)?"
    )
