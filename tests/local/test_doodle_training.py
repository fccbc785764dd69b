"""Training goes on from what is shipped."""

import csv

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from diffusers import AutoencoderKLWan
from training import batches, cache, decoder, made, text, transformer
from training.config import SETUPS, SHIPPED
from training.world import render, scenes

from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

FOLDER = PACKAGED_WEIGHTS_DIR / "doodle"
SETUP = SETUPS[SHIPPED]


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


@pytest.mark.usefixtures("one_thread")
def test_clips_for_words_alone_stand_beside_the_others(tmp_path):
    """Text is drawn from both; what needs a condition has that of its own clip."""
    (tmp_path / "vae").symlink_to(FOLDER / "vae", target_is_directory=True)
    work = ("--work", str(tmp_path), "--threads", "1", "--shard", "6")
    cache.main([*work, "--clips", "6", "--words-only"])
    conditions = transformer.load_frozen(tmp_path, SETUP, "cpu")
    drawn = batches.Batches(tmp_path / "cache", conditions, text.build_tokenizer(SETUP), seed=2)
    assert len(drawn) == 6
    cache.main([*work, "--clips", "12"])
    drawn.refresh()
    assert len(drawn) == 18
    owns = np.concatenate([np.load(f) for f in sorted((tmp_path / "cache").glob("*.own.npy"))])
    targets = {
        name: np.concatenate([np.load(f) for f in sorted((tmp_path / "cache").glob(pattern))])
        for name, pattern in (("own", "0*.target.npy"), ("words", "words*.target.npy"))
    }
    seen = set()
    for _ in range(12):
        target, control, _ids = drawn.draw(8)
        for x, told in zip(target[:, :, -SETUP.latent_frames :], control, strict=True):
            rows = {name: _row_of(x, arrays) for name, arrays in targets.items()}
            given = [
                told[half : half + SETUP.z_dim, -SETUP.latent_frames :] for half in (0, SETUP.z_dim)
            ]
            own = max((_row_of(half, owns) for half in given), key=lambda row: row is not None)
            if own is None:
                seen |= {name for name, row in rows.items() if row is not None}
            else:
                assert own == rows["own"]
                seen.add("condition")
    assert seen == {"own", "words", "condition"}


def _row_of(x, arrays):
    """The row of an array, or None."""
    same = (torch.from_numpy(arrays).float() == x).flatten(1).all(1).nonzero()
    return int(same[0]) if len(same) else None


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
    clip = render.render_clip(scene, SETUP.size, SETUP.frames)
    share = decoder.object_share(decoder.ae.to_tensor(clip[None]))[0, 0].numpy()
    plain = (clip == np.asarray(scene.background_rgb)).all(axis=-1)
    whole = (clip == np.asarray(scene.rgb)).all(axis=-1)
    assert plain.any()
    assert whole.any()
    assert np.all(share[plain] < 0.01)
    assert np.all(share[whole] > 0.99)
