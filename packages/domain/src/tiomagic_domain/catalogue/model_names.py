"""What else a model is called: its name in another case, its repository, its title."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.features import Feature

HUB_ADDRESS: Final = re.compile(r"^(?:https?://)?(?:www\.)?huggingface\.co/")
TAIL: Final = "-diffusers"
"""What a repository's name ends with beside the one of its authors, in any case."""
FORMER_HOSTED: Final = MappingProxyType({"luma-ray-2": "luma", "veo-2.0-generate-001": "google"})
"""The hosted models of tiomagic 1.0.0, which had no provider of their own there, with the one that
has them now. Their cards come with its package."""


def find_by_other_name(
    name: str, catalogue: Mapping[str, ModelCard], feature: Feature | None
) -> ModelCard | None:
    """Return the one model that is called so, or None when there is none or more than one.

    ``Wan2.1-T2V-1.3B``, ``Wan-AI/Wan2.1-T2V-1.3B-Diffusers`` and the address of that repository all
    mean ``wan2.1-t2v-1.3b``.

    Args:
        name: What the caller wrote.
        catalogue: The models.
        feature: Decides between models of one repository; None for any.
    """
    wanted = _form(name)
    found = [card for card in catalogue.values() if wanted in _names_of(card)]
    if len(found) > 1 and feature is not None:
        found = [card for card in found if feature in card.features]
    return found[0] if len(found) == 1 else None


def is_prompt(name: str) -> bool:
    """Return whether a text is more like a prompt than like a name of a model."""
    return len(name.split()) > 2


def _names_of(card: ModelCard) -> set[str]:
    own = {_form(card.name), _form(card.title)}
    return own if card.repository is None else own | {_form(card.repository)}


def _form(name: str) -> str:
    plain = HUB_ADDRESS.sub("", name.strip()).rstrip("/").casefold().removesuffix(TAIL)
    return re.sub(r"[\s_-]+", "-", plain)
