"""The table of the models that several GPUs can make together, from their architectures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from docs.tables import render_table_head, render_table_row

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.context_parallel.support import list_shares
from tiomagic_local.footprint.sharing import find_split

BEGIN: Final = "<!-- several GPUs: made by docs/generate.py -->\n"
END: Final = "<!-- /several GPUs -->\n"
"""Between these lines of a page stands what is made here."""

MOST: Final = 8
"""GPUs of the largest usual machine."""


def render_parallel_page(text: str, cards: Sequence[ModelCard]) -> str:
    """Return a page with its table of the models made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(["", *_render_table(cards), "", ""]) + END + after


def describe_gpus(card: ModelCard) -> str:
    """Return how several GPUs make a video of a model, for its page."""
    split, heads = find_split(card.name)
    if split is None:
        return "one makes each video: there is no plan for splitting its transformer"
    return f"share each video: {_counts(heads)} (its attention has {heads} heads)"


def _render_table(cards: Sequence[ModelCard]) -> Iterator[str]:
    yield from render_table_head("models", "plan of the splits", "heads", "GPUs for one video")
    rows = sorted(((*_row(card), card) for card in cards), key=lambda row: row[:3])
    for (plan, heads, counts), found in groupby(rows, key=lambda row: row[:3]):
        names = ", ".join(f"[`{row[3].name}`](models/{row[3].name}.md)" for row in found)
        yield render_table_row(names, plan, str(heads or ""), counts)


def _row(card: ModelCard) -> tuple[str, int, str]:
    split, heads = find_split(card.name)
    return (split.plan, heads, _counts(heads)) if split is not None else ("none", 0, "1")


def _counts(heads: int) -> str:
    """Return the numbers of GPUs that can share so many heads, with ranges."""
    counts, said = list_shares(heads, MOST), []
    for _, run in groupby(enumerate(counts), key=lambda pair: pair[1] - pair[0]):
        found = [count for _, count in run]
        many = f"{found[0]} to {found[-1]}" if len(found) > 2 else ", ".join(map(str, found))
        said.append(many)
    return ", ".join(said)
