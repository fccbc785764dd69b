"""Fits the formulas of ``estimates`` to the counts of ``phases`` at a few sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.quantities import GIB
from tiomagic_local.engines import find_engine
from tiomagic_local.footprint import architectures
from tiomagic_local.footprint.estimates import Coefficients, compute_terms
from tiomagic_local.footprint.phases import (
    Modules,
    Size,
    cache_bytes,
    decode_bytes,
    denoise_bytes,
    encode_bytes,
    text_bytes,
)

SIDES = ((512, 288), (832, 480), (1280, 704))
"""The counted widths and heights."""
TILED = ((512, 320), (704, 448))
"""The same for tiles: all are alike, so a few slow counts are enough."""
LENGTHS, LENGTHS_OF_WINDOWS = (25, 97), (25, 73)
"""The counted numbers of frames; fewer where no more are generated at once."""
TILED_LENGTHS, LENGTHS_OF_CHUNKS = (9, 25), (25, 49)
"""The same for tiles; more for a VAE that also cuts time, into chunks of up to 16."""
ALL, OF_TILES, OF_TOKENS = (0, 1, 2, 3, 4), (0, 2, 3), (1, 3)
"""The used features: the memory of a tile does not depend on the size of its frame."""


def fit_coefficients(cells: Sequence[tuple[Size, int]], used: Sequence[int] = ALL) -> Coefficients:
    """Return the non-negative coefficients that fit the counts best.

    Args:
        cells: Sizes with their bytes.
        used: The features with a coefficient; the others get 0.
    """
    rows = np.array([compute_terms(size.width * size.height, size.frames) for size, _ in cells])
    wanted = np.array([count / GIB for _, count in cells])
    kept = list(used)
    found = np.zeros(rows.shape[1])
    while kept:
        # Relative errors: 10 % of a small video matters as much as 10 % of a large one.
        scaled = rows[:, kept] / wanted[:, None]
        values, *_ = np.linalg.lstsq(scaled, np.ones(len(wanted)), rcond=None)
        if (values >= 0).all():
            found[kept] = values
            break
        # Negative coefficients become 0.
        kept.pop(int(values.argmin()))
    return tuple(round(float(value), 7) for value in found)


def default_guided(card: ModelCard) -> bool:
    """Say whether a card's defaults use guidance, whose passes some pipelines batch."""
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
    shortest = schema["num_frames"].minimum or 0
    if shortest > lengths[-1]:
        lengths = (int(shortest), int(2 * shortest))
    sides = {p.name: p for p in schema.parameters if p.name in {"width", "height"}}
    least = {name: parameter.minimum for name, parameter in sides.items()}
    if sides and all(p.minimum == p.maximum for p in sides.values()):
        # Learned positions: the model has only one size.
        return sizes([(int(least["width"] or 0), int(least["height"] or 0))], lengths)
    return sizes(SIDES, lengths)


def _tiled(modules: Modules) -> list[Size]:
    vae = modules["vae"]
    chunks = getattr(vae, "use_framewise_decoding", False) or any(
        hasattr(vae, name) for name in ("num_latent_frames_batch_size", "tokens_chunk_size")
    )
    return sizes(TILED, LENGTHS_OF_CHUNKS if chunks else TILED_LENGTHS)


def same(model: str) -> tuple[object, ...]:
    """Return a key that is equal for models with the same memory."""
    card, known = models()[model], architectures.find_architecture(model)
    parts = tuple((name, part.kind, repr(part.config)) for name, part in known.parts.items())
    flags = (known.encodes, known.per_token, known.tiles, known.window, repr(known.lora))
    fp32 = find_engine(card.engine).fp32
    dtype = card.options.get("gpu_dtype")
    return (parts, flags, fp32, dtype, default_guided(card), card.prompt_tokens)


def facts(model: str, log: Callable[[str], None] = lambda _text: None) -> dict[str, Any]:
    """Return a model's entry of ``estimates.json``."""
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
    kept = [(size, cache_bytes(modules, size)) for size in whole]
    cache = {"cache": list(fit_coefficients(kept, OF_TOKENS))} if all(n for _, n in kept) else {}
    fixed = {"fixed": list(modules.fixed)} if modules.fixed else {}
    return {
        "weights": {name: round(size / GIB, 3) for name, size in modules.weights.items()},
        "leaves": {name: round(size / GIB, 3) for name, size in modules.leaves.items()},
        "text": round(text_bytes(modules, words) / GIB, 3),
        "phases": {name: list(values) for name, values in sorted(phases.items())},
        "tiles": modules.architecture.tiles,
        "window": modules.architecture.window,
        "pixel_bytes": 3 * modules.vae_dtype.itemsize,
        **cache,
        **fixed,
    }
