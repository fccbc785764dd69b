"""Training goes on from what is shipped."""

import csv

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from diffusers import AutoencoderKLWan
from training import cache, decoder, made, transformer
from training.config import SMALL
from training.world import render, scenes

from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

FOLDER = PACKAGED_WEIGHTS_DIR / "doodle"


@pytest.fixture
def one_thread():
    """Training sets the number of threads of the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# Under autocast torch says that a norm of fp32 weights is not its fastest one.
@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@pytest.mark.usefixtures("one_thread")
def test_training_goes_on_from_the_shipped_weights(tmp_path):
    """From `--init-from` the first loss is that of a trained model: noise alone would give 2."""
    (tmp_path / "vae").symlink_to(FOLDER / "vae", target_is_directory=True)
    work = ("--work", str(tmp_path), "--threads", "1")
    cache.main([*work, "--clips", "24", "--shard", "24"])
    log = tmp_path / "loss.csv"
    begin = ("--init-from", str(FOLDER), "--log", str(log))
    transformer.main([*work, *begin, "--batch", "6", "--every", "1", "--minutes", "0.001"])
    with log.open() as lines:
        first = next(csv.DictReader(lines))
    assert first["step"] == "1"
    assert float(first["loss"]) < 1
    saved = torch.load(tmp_path / "model.pt", weights_only=True)
    assert saved["state"]["step"] == 1


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@pytest.mark.usefixtures("one_thread")
def test_the_decoder_goes_on_alone(tmp_path):
    """It learns from what the transformer makes, resumes, and leaves the latents as they are."""
    (tmp_path / "vae").symlink_to(FOLDER / "vae", target_is_directory=True)
    work = ("--work", str(tmp_path), "--threads", "1")
    cache.main([*work, "--clips", "8", "--shard", "8"])
    made.main([*work, "--model", str(FOLDER), "--clips", "6"])
    distance = np.load(tmp_path / "made" / "made.npy") - np.load(tmp_path / "made" / "target.npy")
    assert 0 < np.square(distance.astype(float)).mean() < 0.5, "noise alone would give 2"
    run = (*work, "--log", str(tmp_path / "loss.csv"), "--batch", "1", "--measure", "1")
    minutes = 0.0
    for step in (1, 2):
        decoder.main([*run, "--minutes", str(minutes + 1e-4)])
        state = torch.load(tmp_path / "vae_on.pt", weights_only=True)["state"]
        assert state["step"] == step
        minutes = state["elapsed"] / 60
    before, after = (
        AutoencoderKLWan.from_pretrained(tmp_path / name).state_dict() for name in ("vae", "vae_on")
    )
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder", "post_quant_conv"}


def test_the_object_is_told_from_its_background():
    """The share of the object is 1 inside it, 0 outside, and does not depend on its colour."""
    rng = np.random.default_rng(3)
    scene = scenes.draw_scene(rng, figure=False, free_colours=True)
    clip = render.render_clip(scene, SMALL.size, SMALL.frames)
    share = decoder.object_share(decoder.ae.to_tensor(clip[None]))[0, 0].numpy()
    plain = (clip == np.asarray(scene.background_rgb)).all(axis=-1)
    whole = (clip == np.asarray(scene.rgb)).all(axis=-1)
    assert plain.any()
    assert whole.any()
    assert np.all(share[plain] < 0.01)
    assert np.all(share[whole] > 0.99)
