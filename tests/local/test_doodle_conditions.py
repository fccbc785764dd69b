"""Training sees the very tensors that the pipeline builds when it is used."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from diffusers import UniPCMultistepScheduler, WanVACEPipeline  # noqa: E402
from training import autoencoder as ae  # noqa: E402
from training import conditions, config, sample, text, transformer, whole  # noqa: E402
from training.world import render, scenes  # noqa: E402

SETUP = replace(config.SMALL, layers=2, vace_layers=(0, 1), text_dim=64)


@pytest.fixture(scope="module")
def parts():
    """An untrained pipeline and the training's conditions over the same autoencoder."""
    torch.manual_seed(0)
    vae = ae.build_vae(SETUP).eval().requires_grad_(False)
    vae.register_to_config(latents_mean=[0.1] * SETUP.z_dim, latents_std=[1.5] * SETUP.z_dim)
    built = conditions.Conditions(vae, SETUP)
    tokenizer = text.build_tokenizer(SETUP)
    model = transformer.Model(SETUP, len(tokenizer), built.control("text_to_video"))
    pipeline = WanVACEPipeline(
        tokenizer=tokenizer,
        text_encoder=model.text_encoder,
        vae=vae,
        transformer=model.transformer.eval(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SETUP.flow_shift
        ),
    )
    return SimpleNamespace(pipeline=pipeline, conditions=built, vae=vae)


def scene_of(task):
    rng = np.random.default_rng(5)
    return scenes.draw_scene(rng, figure=task == "pose_guidance")


def pipeline_control(pipeline, inputs):
    """The control tensor as `WanVACEPipeline.__call__` makes it."""
    video, mask, references = pipeline.preprocess_conditions(
        inputs.get("video"), inputs.get("mask"), inputs.get("reference_images"),
        1, SETUP.size, SETUP.size, SETUP.frames, torch.float32, torch.device("cpu"),
    )  # fmt: skip
    with torch.no_grad():
        latents = pipeline.prepare_video_latents(video, mask, references, None, torch.device("cpu"))
    return torch.cat([latents, pipeline.prepare_masks(mask, references)], dim=1)


def training_control(built, task):
    """The control tensor as the training builds it from drawn clips."""
    scene = scene_of(task)
    clip = ae.to_tensor(render.render_clip(scene, SETUP.size, SETUP.frames)[None])
    if task == "pose_guidance":
        skeleton = ae.to_tensor(render.render_skeleton(scene, SETUP.size, SETUP.frames)[None])
        reference = conditions.frames_to_tensor(render.render_reference(scene, SETUP.size))
        return built.control(task, built.encode(skeleton), built.encode(reference))
    if task == "text_to_video":
        return built.control(task)
    return built.control(task, built.inactive(task, clip))


@pytest.mark.parametrize("task", conditions.TASKS)
def test_training_and_pipeline_build_the_same_control(parts, task):
    scene = scene_of(task)
    ends = [render.render_frame(scene, SETUP.size, u) for u in (0.0, 1.0)]
    pictures = {
        "image_to_video": ends[:1],
        "interpolate": ends,
        "pose_guidance": [render.render_reference(scene, SETUP.size)],
    }.get(task, [])
    sampler = sample.Sampler(parts.pipeline, SETUP)
    skeleton = render.render_skeleton(scene, SETUP.size, SETUP.frames)
    expected = pipeline_control(parts.pipeline, sampler.inputs(task, pictures, skeleton))
    actual = training_control(parts.conditions, task)
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_one_pass_equals_the_chunks_of_the_autoencoder(parts):
    x = torch.rand(2, 3, SETUP.frames, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        chunked = parts.vae.encode(x).latent_dist.mode()
        torch.testing.assert_close(whole.encode(parts.vae, x), chunked, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            whole.decode(parts.vae, chunked).clamp(-1, 1),
            parts.vae.decode(chunked).sample,
            atol=1e-4,
            rtol=1e-4,
        )


def test_prompts_are_embedded_as_the_pipeline_embeds_them(parts):
    words = "a red circle moves left on a white background"
    pipeline = parts.pipeline
    with torch.no_grad():
        expected, _ = pipeline.encode_prompt(
            words, do_classifier_free_guidance=False, max_sequence_length=SETUP.text_tokens
        )
        ids = text.tokenize(pipeline.tokenizer, [words], SETUP)
        actual = text.embed(pipeline.text_encoder, ids)
    torch.testing.assert_close(actual, expected)


def test_the_transformer_starts_by_passing_the_noise_through(parts):
    x = torch.randn(1, SETUP.z_dim, 5, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        y = parts.pipeline.transformer(
            hidden_states=x,
            timestep=torch.tensor([900.0]),
            encoder_hidden_states=torch.zeros(1, SETUP.text_tokens, SETUP.text_dim),
            control_hidden_states=parts.conditions.control("text_to_video"),
            return_dict=False,
        )[0]
    correlation = torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]
    assert correlation > 0.3
