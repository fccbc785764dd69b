"""The grown model begins as the small one: the same latents, twice the pixels, more words."""

import copy
import json
import os
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanVACEPipeline
from training import autoencoder as ae
from training import decoder, grow, measure, network, text, whole
from training.conditions import TASKS, Conditions
from training.config import GROWN, SMALL
from training.stopping import Stopping
from training.world import prompts, render, scenes
from training.world.lexicon import FIRST, ICONS
from training.world.lexicon import GROWN as GROWN_LEXICON
from transformers import AutoTokenizer


@pytest.fixture(scope="module")
def small():
    """An untrained model of the first setup; where all weights are 0 a change would not show."""
    torch.manual_seed(3)
    vae, tokenizer = ae.build_vae(SMALL), text.build_tokenizer(SMALL)
    empty = torch.zeros(1, 2 * SMALL.z_dim + 16, SMALL.latent_frames, 16, 16)
    parts = {
        "text_encoder": text.build_text_encoder(SMALL, len(tokenizer)),
        "transformer": network.build_transformer(SMALL, empty),
        "vae": vae,
    }
    for part in parts.values():
        for weights in part.eval().parameters():
            if weights.ndim > 1 and not weights.any():
                torch.nn.init.normal_(weights, std=0.02)
    return WanVACEPipeline(tokenizer=tokenizer, scheduler=UniPCMultistepScheduler(), **parts)


@pytest.fixture(scope="module")
def vae(small):
    return grow.grow_vae(small.vae, GROWN)


def halve(x):
    return torch.nn.functional.avg_pool3d(x, (1, 2, 2))


def double(x):
    return x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(4)) * 2 - 1


@torch.no_grad()
def test_the_grown_encoder_sees_the_picture_averaged(small, vae):
    x = noise(1, 3, 9, 64, 64)
    expected = small.vae.encode(halve(x)).latent_dist.mode()
    torch.testing.assert_close(vae.encode(x).latent_dist.mode(), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("width", [16, 24])
def test_the_grown_decoder_shows_the_old_picture_enlarged(small, width):
    """Also with more channels, all of which can learn: none is cut off from the gradient."""
    setup = replace(GROWN, vae=GROWN.vae | {"decoder_base_dim": width})
    grown, z = grow.grow_vae(small.vae, setup), noise(1, 8, 3, 8, 8)
    expected = double(small.vae.decode(z).sample)
    torch.testing.assert_close(grown.decode(z).sample, expected, atol=1e-5, rtol=1e-4)
    with torch.enable_grad():
        whole.decode(grown, z).square().mean().backward()
    last = grown.decoder.up_blocks[-1].resnets[-1].conv1.weight.grad
    assert (last.flatten(1).abs().amax(1) > 0).all()


@torch.no_grad()
def test_a_wider_encoder_begins_with_the_same_latents(vae):
    wider = grow.grow_vae(vae, replace(GROWN, vae=GROWN.vae | {"base_dim": 48}))
    x = noise(1, 3, 9, 64, 64)
    z = vae.encode(x).latent_dist.mode()
    torch.testing.assert_close(wider.encode(x).latent_dist.mode(), z, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(wider.decode(z).sample, vae.decode(z).sample)
    with torch.enable_grad():
        whole.encode(wider, x).square().mean().backward()
    first = wider.encoder.down_blocks[0].resnets[0].conv1.weight.grad
    assert (first.flatten(1).abs().amax(1) > 0).all(), "all new channels can learn"


@torch.no_grad()
def test_a_trained_autoencoder_gets_a_wider_decoder(vae, tmp_path):
    vae.save_pretrained(tmp_path / "trained")
    arguments = ["--work", tmp_path, "--vae", tmp_path / "trained", "--decoder-width", 24]
    grow.main([str(one) for one in arguments])
    wider, z = AutoencoderKLWan.from_pretrained(tmp_path / "vae"), noise(1, 8, 1, 8, 8)
    assert wider.config.decoder_base_dim == 24
    expected = vae.decode(z).sample
    torch.testing.assert_close(wider.decode(z).sample, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
def test_blocks_with_one_kernel_for_norm_and_activation_give_the_same(vae):
    """Numbers and gradients, of what the compiler is given: compiling would take a minute."""
    x = noise(1, 3, 9, 32, 32)
    values = []
    for one_kernel in (False, True):
        copied = copy.deepcopy(vae)
        if one_kernel:
            whole.use_compiled_blocks(copied, lambda function, **_: function)
        y = whole.decode(copied, whole.encode(copied, x))
        y.square().mean().backward()
        gradients = (copied.encoder.conv_in.weight, copied.decoder.mid_block.resnets[0].norm1.gamma)
        values.append((y.detach(), *(p.grad for p in gradients)))
    for plain, fused in zip(*values, strict=True):
        torch.testing.assert_close(fused, plain, atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_one_pass_equals_the_chunks_of_the_grown_autoencoder(vae):
    x = noise(1, 3, 9, 64, 64)
    z = vae.encode(x).latent_dist.mode()
    torch.testing.assert_close(whole.encode(vae, x), z, atol=1e-4, rtol=1e-4)
    decoded = whole.decode(vae, z).clamp(-1, 1)
    torch.testing.assert_close(decoded, vae.decode(z).sample, atol=1e-4, rtol=1e-4)


def test_the_pipeline_finds_how_much_the_grown_autoencoder_compresses(small, vae):
    pipeline = WanVACEPipeline(
        tokenizer=small.tokenizer,
        text_encoder=small.text_encoder,
        vae=vae,
        transformer=grow.grow_transformer(small.transformer, GROWN),
        scheduler=small.scheduler,
    )
    assert (pipeline.vae_scale_factor_spatial, pipeline.vae_scale_factor_temporal) == (8, 4)
    z = vae.encode(torch.zeros(1, 3, GROWN.frames, GROWN.size, GROWN.size)).latent_dist.mode()
    assert z.shape == (1, GROWN.z_dim, GROWN.latent_frames, 16, 16)


def drawn(setup, task):
    """A clip of one scene at a setup's size, the reference, and what its condition is made of."""
    scene = scenes.draw_scene(np.random.default_rng(5), figure=task == "pose_guidance")
    clip = render.render_clip(scene, setup.size, setup.frames)
    if task == "pose_guidance":
        clip = render.render_skeleton(scene, setup.size, setup.frames)
    return ae.to_tensor(clip[None]), scene


@torch.no_grad()
@pytest.mark.parametrize("task", TASKS)
def test_the_grown_transformer_makes_the_same_latents(small, vae, task):
    """With the masks that the pipeline folds, which are one value in each frame."""
    grown, made = grow.grow_transformer(small.transformer, GROWN), []
    parts = ((SMALL, small.vae, small.transformer), (GROWN, vae, grown))
    big, scene = drawn(GROWN, task)
    for setup, autoencoder, transformer in parts:
        built = Conditions(autoencoder, setup)
        x = big if setup is GROWN else halve(big)
        own = built.encode(x) if task == "pose_guidance" else None
        reference = None
        if task == "pose_guidance":
            picture = ae.to_tensor(render.render_reference(scene, GROWN.size)[None, None])
            reference = built.encode(picture if setup is GROWN else halve(picture))
        elif task != "text_to_video":
            own = built.inactive(task, x)
        control = built.control(task, own, reference)
        made.append(
            transformer(
                hidden_states=noise(1, setup.z_dim, control.shape[2], 16, 16),
                timestep=torch.tensor([700.0]),
                encoder_hidden_states=torch.zeros(1, setup.text_tokens, setup.text_dim),
                control_hidden_states=control,
                return_dict=False,
            )[0]
        )
    assert control.shape[1] == 80
    torch.testing.assert_close(*made, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_a_mask_of_one_value_in_each_frame_weighs_what_it_weighed(small):
    """Other values than those of the tasks too, one for each frame."""
    new = grow.grow_transformer(small.transformer, GROWN)
    frames = noise(1, 1, 5, 1, 1)
    outputs = []
    for layer, fold in (
        (small.transformer.vace_patch_embedding, 16),
        (new.vace_patch_embedding, 64),
    ):
        mask = frames.expand(1, fold, 5, 16, 16)
        outputs.append(layer(torch.cat([noise(1, 16, 5, 16, 16), mask], dim=1)))
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_old_words_keep_what_they_mean(small):
    tokenizer = text.build_tokenizer(GROWN)
    grown = grow.grow_words(small.text_encoder, GROWN_LEXICON)
    words = ["a red circle moves left on a white background", "a blue ball on sky"]
    before = text.embed(small.text_encoder, text.tokenize(small.tokenizer, words, SMALL))
    after = text.embed(grown, text.tokenize(tokenizer, words, GROWN))
    torch.testing.assert_close(after, before)
    one, other = (
        text.embed(grown, text.tokenize(tokenizer, [words], GROWN))
        for words in ("a red cat on white", "a white dog on red")
    )
    assert (one - other).abs().amax((0, 2))[[1, 2, 4]].min() > 0.1


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [
        ("A White star on a Red background", "a white star on a red_background background"),
        ("a red ball on blue", "a red ball on blue_background"),
        ("on night background", "on night_background background"),
        ("a black cat with a black  background", "a black cat with a black_background background"),
        ("a red cat on a red house", "a red cat on a red house"),
    ],
)
def test_a_colour_of_the_background_is_a_token_of_its_own(prompt, tokens, tmp_path):
    """Also in the tokenizer that a pipeline loads from its folder."""
    text.build_tokenizer(GROWN).save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).tokenize(prompt) == tokens.split()


def some_scenes(count, **how):
    rng = np.random.default_rng(11)
    return [
        scenes.draw_scene(rng, figure=i % 4 == 3, lexicon=GROWN_LEXICON, **how)
        for i in range(count)
    ]


def test_a_scene_at_64_pixels_is_the_one_at_128_averaged():
    for scene in some_scenes(12):
        small, large = (render.render_frame(scene, size, 0.4) for size in (64, 128))
        averaged = large.astype(float).reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(averaged - small).max() <= 1


def test_every_prompt_is_made_of_words_that_the_model_has():
    known, rng = set(prompts.vocabulary(GROWN_LEXICON)), np.random.default_rng(0)
    seen = set()
    for scene in some_scenes(1500):
        seen |= set(prompts.describe(scene, rng, lexicon=GROWN_LEXICON).split())
    assert seen <= known
    assert set(ICONS) <= seen
    assert {"black", "fast", "diagonally", "apart"} <= seen
    first = prompts.vocabulary(FIRST)
    assert prompts.vocabulary(GROWN_LEXICON)[: len(first)] == first


def test_colours_and_backgrounds_change_places():
    found = [(s.colour, s.background) for s in some_scenes(1500) if s.named_colours]
    assert {colour for colour, _ in found} == {background for _, background in found}
    assert {"black", "white"} <= {colour for colour, _ in found}


def test_two_objects_move_away_from_each_other_or_closer():
    pairs = [scene for scene in some_scenes(400) if scene.other is not None]
    assert {scene.motion for scene in pairs} == {"apart", "together"}
    for scene in pairs:
        begin = scene.other.start[0] - scene.start[0]
        end = scene.other.end[0] - scene.end[0]
        assert min(begin, end) > 2 * scene.radius
        assert (end > begin) == (scene.motion == "apart")
        assert scenes.Scene.from_dict(asdict(scene)) == scene


@pytest.mark.parametrize("blur", [1, 3, 5])
def test_the_width_of_an_edge_is_measured(blur):
    """A box of some pixels smooths a sharp edge over four fifths of its width."""
    plane = np.zeros((128, 128))
    plane[40:90, 30:80] = 1
    kernel = np.ones(blur) / blur
    for axis in (0, 1):
        plane = np.apply_along_axis(np.convolve, axis, plane, kernel, mode="same")
    frame = (np.array([240, 240, 240]) - plane[..., None] * [200, 40, 90]).round().astype(np.uint8)
    assert measure.edge_width(frame[None]) == pytest.approx(0.8 * blur, abs=0.1)


def test_a_crop_counts_what_has_all_of_its_neighbours():
    z, x = noise(8, 5, 16, 16), noise(3, 17, 128, 128)
    inside = torch.zeros(1, 17, 128, 128)
    inside[:, :, 60:70, 120:128] = 1
    cropped, clip, share, counted = decoder.crop_around(z, x, inside, np.random.default_rng(1))
    assert cropped.shape == (8, 5, 10, 10)
    assert clip.shape == (3, 17, 80, 80)
    assert share.sum() > 0
    columns = counted[0, 0].amax(0)
    assert not columns[:8].any(), "the left rim has neighbours outside the crop"
    assert columns[8:].all(), "on the right the frame ends"
    rows = counted[0, 0].amax(1)
    assert not rows[:8].any()
    assert not rows[-8:].any()
    top = int((x[0, 0, :, 127] == clip[0, 0, 0, -1]).nonzero()[0])
    assert top % 8 == 0
    torch.testing.assert_close(cropped, z[:, :, top // 8 : top // 8 + 10, 6:])


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
def test_the_grown_decoder_learns_and_stops_when_it_is_asked(tmp_path, vae, monkeypatch):
    """On a signal it writes its checkpoint, and the next run goes on from there."""
    threads = torch.get_num_threads()
    vae.save_pretrained(tmp_path / "vae")
    (tmp_path / "cache").mkdir()
    scene = some_scenes(1)[0]
    clip = render.render_clip(scene, GROWN.size, GROWN.frames)[None]
    with torch.no_grad():
        z = Conditions(vae, GROWN).encode(ae.to_tensor(clip))
    np.save(tmp_path / "cache" / "0000.target.npy", z.half().numpy())
    np.save(tmp_path / "cache" / "0000.clip.npy", clip)
    notes = [{"scene": asdict(scene)}]
    (tmp_path / "cache" / "0000.json").write_text(json.dumps(notes))
    run = ["--setup", "grown", "--work", str(tmp_path), "--threads", "1", "--batch", "1"]
    run += ["--log", str(tmp_path / "loss.csv"), "--minutes", "60", "--every", "1"]
    step = decoder.Trainer._step

    def stop_after_it(trainer, part, **how):
        values = step(trainer, part, **how)
        os.kill(os.getpid(), signal.SIGTERM)
        return values

    monkeypatch.setattr(decoder.Trainer, "_step", stop_after_it)
    for steps in (1, 2):
        decoder.main([*run, "--crop-share", "1.0", "--crops", "1"])
        saved = torch.load(tmp_path / "vae_on.pt", weights_only=True)
        assert saved["state"]["step"] == steps
    torch.set_num_threads(threads)
    AutoencoderKLWan.from_pretrained(tmp_path / "vae_on")


def test_a_second_signal_ends_the_process_as_it_used_to():
    before = signal.getsignal(signal.SIGTERM)
    with Stopping() as stopping:
        assert not stopping
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
