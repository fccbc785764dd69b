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
        "MiniMax H3",
        (
            "Its engine is not built yet. The library has its modular pipeline, and the weights "
            "(`MiniMaxAI/MiniMax-H3`: 62 GiB for the transformer, 62 for the text encoder, 10 for "
            "the VAE) need no code of their own; but the processor of its text encoder needs "
            "torchvision, which tiomagic does not install. Its licence gives no rights in the EU, "
            "the UK, South Korea and the USA without an authorisation by MiniMax, neither to the "
            "model nor to its videos, so it will wait until [its terms are accepted]"
            "(../weights.md#terms-that-you-accept-by-name)."
        ),
    ),
    (
        "AnyFlow",
        (
            "The index of its weights (`nvidia/AnyFlow-Wan2.1-T2V-14B-Diffusers`) names classes of "
            "the authors' own package in place of the library's, and tiomagic runs no code of a "
            "repository. Their licence is given as *other*, without a name."
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
