"""From what ``phases`` counts at a few sizes to the formulas of ``estimates``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_local.engines import find_engine
from tiomagic_local.footprint import architectures
from tiomagic_local.footprint.estimates import Coefficients, compute_terms
from tiomagic_local.footprint.phases import (
    Modules,
    Size,
    decode_bytes,
    denoise_bytes,
    encode_bytes,
    text_bytes,
)

GIB = 2**30
SIDES = ((512, 288), (832, 480), (1280, 704))
"""Widths and heights that are counted."""
TILED = ((512, 320), (704, 448))
"""The same for tiles, which are all alike: few of them are enough, and each takes its time."""
LENGTHS, LENGTHS_OF_WINDOWS = (25, 97), (25, 73)
"""Frames that are counted; fewer where no more are made at once."""
TILED_LENGTHS, LENGTHS_OF_CHUNKS = (9, 25), (25, 49)
"""The same for tiles; more where a VAE cuts time too, in chunks of up to 16."""
ALL, OF_TILES = (0, 1, 2, 3, 4), (0, 2, 3)
"""The features that matter: a tile knows nothing of the frame that it is a part of."""


def fit_coefficients(cells: Sequence[tuple[Size, int]], used: Sequence[int] = ALL) -> Coefficients:
    """Return the coefficients, none below zero, that come nearest to some counts.

    Args:
        cells: Sizes with their bytes.
        used: The features that may have one; the others are 0.
    """
    rows = np.array([compute_terms(size.width * size.height, size.frames) for size, _ in cells])
    wanted = np.array([count / GIB for _, count in cells])
    kept = list(used)
    found = np.zeros(rows.shape[1])
    while kept:
        # Relative errors: a tenth of a small video is as bad as a tenth of a large one.
        scaled = rows[:, kept] / wanted[:, None]
        values, *_ = np.linalg.lstsq(scaled, np.ones(len(wanted)), rcond=None)
        if (values >= 0).all():
            found[kept] = values
            break
        # What would have to be negative is nothing.
        kept.pop(int(values.argmin()))
    return tuple(round(float(value), 7) for value in found)


def default_guided(card: ModelCard) -> bool:
    """Tell whether a card's own defaults have guidance, which some pipelines batch."""
    for schema in card.features.values():
        for parameter in schema.parameters:
            if parameter.name == "guidance_scale" and isinstance(parameter.default, int | float):
                return parameter.default > 1
    return False


def sizes(sides: Iterable[tuple[int, int]], lengths: Iterable[int]) -> list[Size]:
    """Return each of some sides with each of some lengths."""
    each = itertools.product(sides, lengths)
    return [Size(width=width, height=height, frames=count) for (width, height), count in each]


def _whole(modules: Modules, card: ModelCard) -> list[Size]:
    lengths = LENGTHS if modules.architecture.window is None else LENGTHS_OF_WINDOWS
    schema = next(iter(card.features.values()))
    sides = {p.name: p for p in schema.parameters if p.name in {"width", "height"}}
    least = {name: parameter.minimum for name, parameter in sides.items()}
    if sides and all(p.minimum == p.maximum for p in sides.values()):
        # A model that has learned positions of one size alone.
        return sizes([(int(least["width"] or 0), int(least["height"] or 0))], lengths)
    return sizes(SIDES, lengths)


def _tiled(modules: Modules) -> list[Size]:
    vae = modules["vae"]
    chunks = getattr(vae, "use_framewise_decoding", False) or hasattr(
        vae, "num_latent_frames_batch_size"
    )
    return sizes(TILED, LENGTHS_OF_CHUNKS if chunks else TILED_LENGTHS)


def same(model: str) -> tuple[object, ...]:
    """Return what two models have in common that take the same memory."""
    card, known = models()[model], architectures.find_architecture(model)
    parts = tuple((name, part.kind, repr(part.config)) for name, part in known.parts.items())
    flags = (known.encodes, known.per_token, known.tiles, known.window, repr(known.lora))
    fp32 = find_engine(card.engine).fp32
    dtype = card.options.get("gpu_dtype")
    return (parts, flags, fp32, dtype, default_guided(card), card.prompt_tokens)


def facts(model: str, log: Callable[[str], None] = lambda _text: None) -> dict[str, Any]:
    """Return what ``estimates.json`` says of a model."""
    card, modules = models()[model], Modules(model)
    guided, words = default_guided(card), card.prompt_tokens
    whole, tiled = _whole(modules, card), _tiled(modules)

    def fit(name: str, where: list[Size], count: Callable[[Size], int]) -> Coefficients:
        cells = [(size, count(size)) for size in where]
        log(f"{model} {name}")
        one_size = len({(size.width, size.height) for size in where}) == 1
        used = (0, 3) if one_size else ALL
        return fit_coefficients(cells, OF_TILES if name.endswith("tiles") else used)

    phases = {
        "denoise": fit(
            "denoise", whole, lambda s: denoise_bytes(modules, s, words=words, guided=guided)
        ),
        "decode": fit("decode", whole, lambda s: decode_bytes(modules, s)),
        "decode_tiles": fit("decode_tiles", tiled, lambda s: decode_bytes(modules, s, tiles=True)),
    }
    if modules.architecture.encodes:
        phases["encode"] = fit("encode", whole, lambda s: encode_bytes(modules, s))
        phases["encode_tiles"] = fit(
            "encode_tiles", tiled, lambda s: encode_bytes(modules, s, tiles=True)
        )
    return {
        "weights": {name: round(size / GIB, 3) for name, size in modules.weights.items()},
        "leaves": {name: round(size / GIB, 3) for name, size in modules.leaves.items()},
        "text": round(text_bytes(modules, words) / GIB, 3),
        "phases": {name: list(values) for name, values in sorted(phases.items())},
        "tiles": modules.architecture.tiles,
        "window": modules.architecture.window,
        "pixel_bytes": 3 * modules.vae_dtype.itemsize,
    }
