"""The shipped folder is whole, small, safe to load, and knows the words that its card lists."""

import json

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from diffusers import WanVACEPipeline
from training.config import SETUPS, SHIPPED
from training.world import prompts
from training.world.scenes import draw_scene

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.families import doodle
from tiomagic_domain.features import Feature
from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

FOLDER = PACKAGED_WEIGHTS_DIR / "doodle"
SETUP = SETUPS[SHIPPED]


@pytest.fixture(scope="module")
def pipeline():
    return WanVACEPipeline.from_pretrained(
        FOLDER, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )


def test_the_folder_has_no_pickles_and_at_most_25_megabytes():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in files) <= 25_000_000


def test_the_wheel_of_the_package_has_at_most_30_megabytes():
    """A wheel is a zip of the package's files, so that it is no larger than they are."""
    files = [
        path for path in PACKAGED_WEIGHTS_DIR.parent.rglob("*") if "__pycache__" not in path.parts
    ]
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 30_000_000


def test_everything_is_fp32_in_use(pipeline):
    for name in ("vae", "text_encoder", "transformer"):
        assert {p.dtype for p in getattr(pipeline, name).parameters()} == {torch.float32}


def test_the_autoencoder_knows_its_own_latents(pipeline):
    std = pipeline.vae.config.latents_std
    assert len(std) == SETUP.z_dim
    assert all(value != 1.0 for value in std)


def test_card_tokenizer_and_training_know_the_same_words(pipeline):
    words = {word for word in prompts.vocabulary(SETUP.lexicon) if word.isalpha()}
    assert words == doodle.VOCABULARY
    assert words <= set(pipeline.tokenizer.get_vocab())
    listed = json.loads((FOLDER / "vocabulary.json").read_text())
    assert words <= set(listed["words"])


def test_card_and_training_agree_on_sizes():
    card = find_model("doodle")
    schema = card.schema(Feature.TEXT_TO_VIDEO)
    defaults = {parameter.name: parameter.default for parameter in schema.parameters}
    assert defaults["width"] == defaults["height"] == SETUP.size
    assert defaults["num_frames"] == SETUP.frames
    assert card.fps == SETUP.fps
    assert card.prompt_tokens == SETUP.text_tokens


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a red circle moves left on a white background", []),
        ("A Red CIRCLE, moves left.", []),
        ("a red dragon eats a red dragon", ["dragon", "eats"]),
        ("A blue square on a Yellow background", ["yellow background"]),
        ("a white star spins, a white star jumps on blue", ["white star", "on blue"]),
        ("a red ball on white, a blue star on a night background", []),
        ("", []),
    ],
)
def test_unknown_words_are_named_once_in_their_order(prompt, unknown):
    assert doodle.DOODLE.unknown_words(prompt) == unknown


def test_whatever_it_was_trained_on_is_understood():
    """No caption of a training clip is named, neither its words nor two of them together."""
    rng = np.random.default_rng(0)
    for index in range(2000):
        scene = draw_scene(rng, figure=index % 2 == 0, lexicon=SETUP.lexicon)
        caption = prompts.describe(scene, rng, lexicon=SETUP.lexicon)
        assert doodle.DOODLE.unknown_words(caption) == [], caption
