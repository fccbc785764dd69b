"""The table of all models of pose guidance, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from docs.tables import render_table_head, render_table_row

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import UNSET

BEGIN: Final = "<!-- pose models: made by docs/generate.py -->\n"
END: Final = "<!-- /pose models -->\n"
"""Between these lines of a page stands what is made here."""


def render_pose_page(text: str, cards: Sequence[ModelCard]) -> str:
    """Return a page with its table of the models made anew.

    Args:
        text: The page.
        cards: Every model; those without pose guidance are left out.
    """
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    serving = [card for card in cards if Feature.POSE_GUIDANCE in card.features]
    return before + BEGIN + "\n".join(["", *_render_table(serving), "", ""]) + END + after


def _render_table(cards: Sequence[ModelCard]) -> Iterator[str]:
    """Give the lines of the table."""
    takes = [guide.value for guide in Guide]
    yield from render_table_head("model", *takes, "keeps", "pixels", "length", "GPU", "licence")
    for card in cards:
        facts = card.pose
        given = dict(facts.takes) if facts is not None else _find_inputs(card)
        if card.skeletons is not None and Guide.SKELETONS in given:
            given[Guide.SKELETONS] += f", {card.skeletons.upper()}"
        keeps = facts.keeps if facts is not None else {}
        kept = "; ".join(f"{part.value} {keeps[part]}" for part in Kept if part in keeps)
        gpu = f"{card.gpu_memory_gib:g} GiB" if card.gpu_memory_gib else "none"
        yield render_table_row(
            _link(card),
            *(given.get(guide, "") for guide in Guide),
            kept,
            f"{card.pixels:,}",
            _length(card),
            gpu,
            f"{card.licence}: {card.terms.use.value}",
        )


def _find_inputs(card: ModelCard) -> dict[Guide, str]:
    """Return what a model takes by the arguments that it has, for a card that states nothing."""
    names = {Guide.SKELETONS: "pose_video", Guide.PLAIN_VIDEO: "guiding_video"}
    schema = card.schema(Feature.POSE_GUIDANCE)
    return {guide: f"`{name}`" for guide, name in names.items() if name in schema}


def _link(card: ModelCard) -> str:
    return f"[`{card.name}`](../models/{card.name}.md)"


def _length(card: ModelCard) -> str:
    """Return the default length and the longest, in seconds at the model's own rate."""
    schema = card.schema(Feature.POSE_GUIDANCE)
    if "num_frames" not in schema:
        return "as the video"
    frames = schema["num_frames"]
    if frames.default is UNSET or frames.maximum is None:
        return "as the motion"
    usual, longest = (float(str(n)) / card.fps for n in (frames.default, frames.maximum))
    return f"{usual:.1f} s" + (f", up to {longest:.1f} s" if longest > usual else "")
