"""Previews of every engine: latents of any shape become a picture; the video stays the same."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from tests.catalogue.extremes import CARDS, smallest
from tests.catalogue.stage import TinyRuntime, request_for

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Progress
from tiomagic_local.preview import request as pace
from tiomagic_local.preview.colours import LatentColours, fitted_file
from tiomagic_local.preview.request import preview_with
from tiomagic_media.pictures.strip import GAP, LONG_SIDE, MAX_STRIP_BYTES

if TYPE_CHECKING:
    from tests.local.materials import Materials

    from tiomagic_domain.media import Clip
    from tiomagic_domain.ports.provider import Request

STEPS = 4


class AlwaysWanted:
    """Someone who looks all the time."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def is_wanted(self) -> bool:
        """Return True."""
        return True

    def refuse(self, reason: str) -> None:
        """Keep a reason."""
        self.reasons.append(reason)


def one_card_an_engine() -> list[ModelCard]:
    """Return a model of each engine: the engine knows the shape of its latents.

    Not of ``helios_pyramid``, which adds sizes to ``helios``: on some CPUs its noise between two
    sizes fails at random, with previews and without, as ``test_runs`` shows.
    """
    found = {card.engine: card for card in reversed(CARDS)}
    del found["helios_pyramid"]
    return list(found.values())


def make(wardrobe: TinyRuntime, request: Request, asked: AlwaysWanted | None) -> tuple[Clip, Any]:
    """Make the video of a request, and return it with the previews of its run."""
    shown: list[Progress] = []
    given = (request.card, request.settings, shown.append, NeverCanceled())
    with wardrobe.runtime.use(*given) as loaded:
        vae = loaded.engine._pipeline.vae
        channels = vae.config.get("z_dim") or vae.config["latent_channels"]
        factors = torch.randn(3, channels, generator=torch.manual_seed(1)) / channels
        LatentColours(factors=factors, bias=torch.full((3,), 0.5)).save(fitted_file(vae))
        generate = getattr(loaded.engine, request.feature.value)
        arguments = (request.inputs, request.settings, shown.append, NeverCanceled())
        if asked is None:
            return generate(*arguments), []
        with preview_with(asked):
            clip = generate(*arguments)
    return clip, [moment.preview for moment in shown if moment.preview]


@pytest.mark.parametrize("card", one_card_an_engine(), ids=lambda card: card.engine)
def test_an_engine_draws_previews_and_makes_the_same_video(
    card: ModelCard,
    wardrobe: TinyRuntime,
    studio: Materials,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A picture in the shape of the video, below 20 kB; the frames are those without previews."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    # As often as can be: these runs take less than the pause between two.
    monkeypatch.setattr(pace, "EVERY_S", 0.0)
    monkeypatch.setattr(pace, "LARGEST_SHARE", float("inf"))
    wardrobe.provide(card)
    feature = next(iter(card.features))
    settings = smallest(card.schema(feature))
    if "num_inference_steps" in settings:
        settings["num_inference_steps"] = max(settings["num_inference_steps"], STEPS)
    request = request_for(card, Feature(feature), settings, studio)
    asked = AlwaysWanted()
    plain, nothing = make(wardrobe, request, None)
    clip, previews = make(wardrobe, request, asked)
    assert (asked.reasons, nothing) == ([], [])
    assert previews
    assert np.array_equal(clip.frames, plain.frames)
    for jpeg in previews:
        assert len(jpeg) <= MAX_STRIP_BYTES
        picture = Image.open(io.BytesIO(jpeg))
        count = (picture.width + GAP) // (LONG_SIDE + GAP) or 1
        _, height, width, _ = clip.frames.shape
        one = (picture.width - GAP * (count - 1)) / count
        assert one / picture.height == pytest.approx(width / height, rel=0.15)
