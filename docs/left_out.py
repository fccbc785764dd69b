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
            "Their attention (NABLA) chooses anew in each layer which blocks of 64 tokens see "
            "which. The library does that with flex attention, which has to be compiled on the "
            "GPU; otherwise it makes the whole matrix of scores. It has not been tried here."
        ),
    ),
    (
        "Kandinsky 5.0 I2V Pro, distilled",
        (
            "Its weights are public. Neither the authors' configurations, which have one for each "
            "other model, nor the library's documentation state its number of steps."
        ),
    ),
    ("Kandinsky 5.0 I2V Lite", "Its weights are not in the form that diffusers loads."),
    (
        "MiniMax H3, its videos from references",
        (
            "They need a second transformer (`transformer_ref`, 62 GiB) and, for a reference "
            "video, a processor that needs torchvision, which tiomagic does not install. "
            "[What is here](minimax-h3.md) takes words, a first and a last picture. The authors' "
            "steps before and after it (their rewriting of prompts, 2K) are services."
        ),
    ),
    (
        "AnyFlow",
        (
            "It has not been tried here. The index of its weights "
            "(`nvidia/AnyFlow-Wan2.1-T2V-14B-Diffusers`), as it was last seen, names classes of "
            "the authors' own package in place of the library's, and tiomagic runs no code of a "
            "repository. Their licence was given as *other*; the repository may say more."
        ),
    ),
)
"""Each model with the reason."""


def render_left_out() -> Iterator[str]:
    """Return the section, in Markdown."""
    yield from ("## Models that are not here", "")
    yield from render_table_head("model", "why")
    yield from (render_table_row(name, why) for name, why in LEFT_OUT)
    yield ""
