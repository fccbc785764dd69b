"""The section about models that are not in the catalogue, and why."""

from __future__ import annotations

from collections.abc import Iterator

from docs.tables import render_table_head, render_table_row

LEFT_OUT = (
    (
        "CogVideoX-Fun V1.1 2B Pose",
        (
            "The authors name Apache-2.0 for CogVideoX-2B, and the weights come with another "
            "licence: which one holds is not clear."
        ),
    ),
    (
        "Kandinsky 5.0, the models for 10 s",
        (
            "Their attention works on blocks (NABLA) and has to be compiled; otherwise it needs "
            "the whole matrix of scores. It has not been tried here."
        ),
    ),
    (
        "Kandinsky 5.0 I2V Pro, distilled",
        "Its weights are public, its number of steps is not stated.",
    ),
    ("Kandinsky 5.0 I2V Lite", "Its weights are not in the form that diffusers loads."),
    (
        "MiniMax H3",
        (
            "Its licence gives no rights in the EU, the UK, South Korea and the USA without an "
            "authorisation by MiniMax, neither to the model nor to its videos. So tiomagic has to "
            "ask for a consent before anything is fetched, and that question is not built yet."
        ),
    ),
    ("AnyFlow", "Nobody has looked at it yet, nor at the licence of its weights."),
)
"""Each model with the reason."""


def render_left_out() -> Iterator[str]:
    """Return the section, in Markdown."""
    yield from ("## Models that are not here", "")
    yield from render_table_head("model", "why")
    yield from (render_table_row(name, why) for name, why in LEFT_OUT)
    yield ""
