"""Models that are made by a LoRA: FusionX, and Pusa with a noise level a frame."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.local.materials import CallRecorder, Materials, settings_of
from tests.tiny import save
from tests.tiny.loras import save_lora

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.keyframes import PICTURE_FRAMES
from tiomagic_local.engines import find_engine
from tiomagic_local.engines.pusa import PerFrameEulerScheduler, Pusa, frame_times, multipliers
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

FUSIONX = {
    "wan2.1-14b-t2v-fusionx": Feature.TEXT_TO_VIDEO,
    "wan2.1-vace-14b-i2v-fusionx": Feature.IMAGE_TO_VIDEO,
    "wan2.1-vace-14b-phantom-fusionx": Feature.TEXT_TO_VIDEO,
}
PUSA = "pusa-v1"


@pytest.fixture(scope="session")
def made_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of the models that are made by a LoRA."""
    return save(tmp_path_factory.mktemp("made"), (*FUSIONX, PUSA))


@pytest.fixture(scope="session")
def runtime(made_dir: Path) -> Runtime:
    """A runtime over these weights."""
    return Runtime(LocalOptions(weights_dir=made_dir, device="cpu"))


def make(
    runtime: Runtime, studio: Materials, model: str, feature: Feature, **changes: Any
) -> tuple[Any, dict[str, Any]]:
    """Run the smallest call and return its frames and the facts of its weights."""
    request = studio.request(model, feature, **changes)
    token = NeverCanceled()
    with runtime.use(request.card, request.settings, ignore_progress, token) as loaded:
        call = getattr(loaded.engine, feature.value)
        clip = call(request.inputs, request.settings, ignore_progress, token)
        return np.asarray(clip.frames), dict(loaded.facts["weights"])


def pusa_with_a_trained_vae() -> Pusa:
    """Return the engine over a random transformer and the VAE that comes with the package."""
    from diffusers import WanPipeline, WanTransformer3DModel
    from examples.tiny_vace import TRANSFORMER

    from tiomagic_local.torch_env.quiet import silence_libraries
    from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

    folder = PACKAGED_WEIGHTS_DIR / "doodle"
    with silence_libraries():
        shipped = WanPipeline.from_pretrained(folder, transformer=None)
    channels = shipped.vae.config.z_dim
    sizes = {**TRANSFORMER, "text_dim": shipped.text_encoder.config.d_model}
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(**{**sizes, "out_channels": channels}, in_channels=channels)
    parts = {**shipped.components, "transformer": transformer.eval(), "transformer_2": None}
    pipeline = WanPipeline(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return Pusa(pipeline, find_model(PUSA))


@contextmanager
def last_latents(engine: Pusa) -> Iterator[list[torch.Tensor]]:
    """Keep what the VAE is given to decode, normalised as the transformer knows it."""
    seen: list[torch.Tensor] = []
    vae = engine._pipeline.vae
    decode = vae.decode
    shape = (1, -1, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape)
    deviation = torch.tensor(vae.config.latents_std).view(shape)

    def look(latents: torch.Tensor, **named: Any) -> Any:
        seen.append((latents - mean) / deviation)
        return decode(latents, **named)

    vae.decode = look
    try:
        yield seen
    finally:
        del vae.decode


def psnr(frame: Any, expected: Any) -> float:
    """Return how near two pictures are, in dB."""
    error = float(np.square(frame.astype(float) - expected).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-12)))


class TestFusionX:
    @pytest.mark.parametrize("model", FUSIONX)
    def test_the_recipe_is_its_own(self, model: str) -> None:
        """Few steps, no guidance, a small shift: with the base model's the picture burns."""
        schema = find_model(model).schema(FUSIONX[model])
        names = ("num_inference_steps", "guidance_scale", "flow_shift")
        assert [schema[name].default for name in names] == [8, 1.0, 2.0]

    @pytest.mark.parametrize("model", FUSIONX)
    def test_the_lora_is_on(self, runtime: Runtime, studio: Materials, model: str) -> None:
        """The record names it with its layers, and one of a call goes again."""
        feature = FUSIONX[model]
        first, facts = make(runtime, studio, model, feature)
        (lora,) = facts["loras"]
        assert lora["source"] == "vrgamedevgirl84/Wan14BT2VFusioniX"
        assert lora["layers"] == 10
        folder = studio._folder
        own = save_lora(folder / "own.safetensors", {"transformer.blocks.0.attn1.to_q": 24})
        entry = {"source": str(own), "scale": 1.0, "component": "transformer"}
        both, _ = make(runtime, studio, model, feature, loras=[entry])
        again, _ = make(runtime, studio, model, feature)
        assert (both != first).any()
        assert (again == first).all()

    def test_it_is_not_the_base_model(
        self, runtime: Runtime, studio: Materials, made_dir: Path, tmp_path: Path
    ) -> None:
        """The same weights without the LoRA give another video."""
        model = "wan2.1-vace-14b-phantom-fusionx"
        shutil.copytree(made_dir / model, tmp_path / "wan2.1-vace-14b")
        base = Runtime(LocalOptions(weights_dir=tmp_path, device="cpu"))
        with_it, _ = make(runtime, studio, model, Feature.TEXT_TO_VIDEO)
        changes = {"guidance_scale": 1.0, "flow_shift": 2.0}
        without, _ = make(base, studio, "wan2.1-vace-14b", Feature.TEXT_TO_VIDEO, **changes)
        assert (with_it != without).any()

    def test_it_does_not_run_without(
        self, studio: Materials, made_dir: Path, tmp_path: Path
    ) -> None:
        """When nothing of the LoRA fits, the model refuses, and refuses again."""
        model = "wan2.1-14b-t2v-fusionx"
        folder = shutil.copytree(made_dir / model, tmp_path / model)
        (file,) = (folder / "loras").iterdir()
        save_lora(file, {"transformer.joint_blocks.0.q": 24})
        runtime = Runtime(LocalOptions(weights_dir=tmp_path, device="cpu"))
        for _attempt in range(2):
            with pytest.raises(ConfigurationError, match="does not run without it"):
                make(runtime, studio, model, Feature.TEXT_TO_VIDEO)


class TestPusa:
    def test_the_names_of_its_tensors_are_understood(
        self, runtime: Runtime, studio: Materials
    ) -> None:
        """Its file has the names of a bare network, and every layer of it is put on."""
        _, facts = make(runtime, studio, PUSA, Feature.TEXT_TO_VIDEO)
        (lora,) = facts["loras"]
        assert (lora["layers"], lora["scale"]) == (10, 1.4)

    def test_one_moment_for_all_frames_is_wan(self, runtime: Runtime, studio: Materials) -> None:
        """With every frame at one noise level the loop is WanPipeline with Euler's steps."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        class Even(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
            """diffusers' own steps, on the same schedule."""

            def set_timesteps(self, steps: int, device: Any = None, **_rest: Any) -> None:
                super().set_timesteps(sigmas=np.linspace(1, 0, steps + 1)[:-1], device=device)

        settings = settings_of(PUSA, Feature.TEXT_TO_VIDEO, num_inference_steps=4)
        card = find_model(PUSA)
        outputs = []
        with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
            pipeline = loaded.engine._pipeline
            for ours in (True, False):
                scheduler: Any = (PerFrameEulerScheduler if ours else Even)(shift=5.0)
                m = torch.ones(2)
                scheduler.multipliers = m
                pipeline.scheduler = scheduler
                call = {
                    "prompt": "a fox runs",
                    "width": 32,
                    "height": 32,
                    "num_frames": 5,
                    "num_inference_steps": 4,
                    "generator": torch.Generator().manual_seed(3),
                    "output_type": "latent",
                }
                if ours:
                    with frame_times(pipeline.transformer, m):
                        outputs.append(pipeline(**call).frames)
                else:
                    outputs.append(pipeline(**call).frames)
        assert float((outputs[0] - outputs[1]).abs().max()) < 1e-4

    def test_a_picture_without_noise_comes_back(self, studio: Materials) -> None:
        """At multiplier 0 the first frame is the picture as the VAE knows it, to 40 dB.

        With a trained VAE, doodle's, so that the picture is more than an even grey; at multiplier 1
        nothing of it is left.
        """
        engine = pusa_with_a_trained_vae()
        inputs: Any = studio.request(PUSA, Feature.IMAGE_TO_VIDEO).inputs
        changes = {"width": 64, "height": 64}
        frames = {}
        for multiplier in (0.0, 1.0):
            settings = settings_of(
                PUSA, Feature.IMAGE_TO_VIDEO, noise_multiplier=multiplier, **changes
            )
            clip = engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled())
            frames[multiplier] = np.asarray(clip.frames)[0].astype(float)
        vae = engine._pipeline.vae
        picture = engine._picture(inputs.image, settings)
        mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
        deviation = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
        with torch.no_grad():
            decoded = vae.decode(engine._latent([picture]) * deviation + mean).sample[0, :, 0]
        as_known = (decoded.clamp(-1, 1).permute(1, 2, 0).numpy() + 1) * 127.5
        assert psnr(frames[0.0], as_known) >= 40
        assert psnr(frames[0.0], np.asarray(picture)) >= 20
        assert psnr(frames[1.0], as_known) < 15

    def test_a_picture_may_stand_anywhere(self, studio: Materials) -> None:
        """At the last latent frame it is what the video ends with, at the first what it begins."""
        engine = pusa_with_a_trained_vae()
        inputs: Any = studio.request(PUSA, Feature.IMAGE_TO_VIDEO).inputs
        expected = {}
        for position in (0, 1, 2):
            settings = settings_of(
                PUSA,
                Feature.IMAGE_TO_VIDEO,
                num_frames=9,
                noise_multiplier=0.0,
                cond_position=position,
            )
            known = engine._latent([engine._picture(inputs.image, settings)])
            last = last_latents(engine)
            with last as seen:
                engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled())
            same = [bool(torch.allclose(seen[-1][:, :, t], known[:, :, 0])) for t in range(3)]
            expected[position] = same
        assert expected == {
            0: [True, False, False],
            1: [False, True, False],
            2: [False, False, True],
        }

    def test_between_two_pictures_both_ends_are_held(self, studio: Materials) -> None:
        """The first latent frame is the first picture and the last one the last, each as asked."""
        engine = pusa_with_a_trained_vae()
        inputs: Any = studio.request(PUSA, Feature.INTERPOLATE).inputs
        settings = settings_of(
            PUSA,
            Feature.INTERPOLATE,
            num_frames=9,
            noise_multiplier=0.0,
            last_noise_multiplier=0.0,
        )
        settings[PICTURE_FRAMES] = (0, 8)
        with last_latents(engine) as seen:
            engine.interpolate(inputs, settings, ignore_progress, NeverCanceled())
        ends = [
            engine._picture(media, settings) for media in (inputs.first_frame, inputs.last_frame)
        ]
        first, last = (engine._latent([picture]) for picture in ends)
        assert not torch.allclose(first, last)
        assert torch.allclose(seen[-1][:, :, :1], first)
        assert torch.allclose(seen[-1][:, :, -1:], last)
        noisy = multipliers({**settings, "noise_multiplier": 0.2, "last_noise_multiplier": 0.5})
        assert noisy.tolist() == pytest.approx([0.2, 1.0, 0.5])

    def test_the_strength_of_its_lora_is_a_setting(
        self, runtime: Runtime, studio: Materials
    ) -> None:
        """``lora_alpha`` is the scale of one call, and in its record; the next has its own."""
        first, facts = make(runtime, studio, PUSA, Feature.TEXT_TO_VIDEO)
        strong, told = make(runtime, studio, PUSA, Feature.TEXT_TO_VIDEO, lora_alpha=3.0)
        off, _ = make(runtime, studio, PUSA, Feature.TEXT_TO_VIDEO, lora_alpha=0.0)
        again, kept = make(runtime, studio, PUSA, Feature.TEXT_TO_VIDEO)
        scales = [given["loras"][0]["scale"] for given in (facts, told, kept)]
        assert scales == [1.4, 3.0, 1.4]
        assert (strong != first).any()
        assert (off != first).any()
        assert (off != strong).any()
        assert (again == first).all()

    def test_a_place_beyond_the_end_is_refused(self) -> None:
        """A picture cannot stand where a shorter video has no frame; the last one is offered."""
        schema = find_model(PUSA).schema(Feature.IMAGE_TO_VIDEO)
        given = {"prompt": "a", "image": "a.png", "num_frames": 9}
        schema.validate({**given, "cond_position": 2})
        with pytest.raises(ValidationError) as caught:
            schema.validate({**given, "cond_position": 3})
        (problem,) = caught.value.problems
        assert (problem.field, problem.nearest) == ("cond_position", 2)

    def test_frames_are_told_their_own_moments(self, runtime: Runtime, studio: Materials) -> None:
        """The picture's tokens are at a fifth of the noise of the others, and so it starts."""
        settings = settings_of(PUSA, Feature.IMAGE_TO_VIDEO)
        inputs: Any = studio.request(PUSA, Feature.IMAGE_TO_VIDEO).inputs
        seen: list[torch.Tensor] = []
        card = find_model(PUSA)
        with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
            recorder = CallRecorder(loaded.engine._pipeline)
            engine: Any = find_engine(card.engine)(recorder, card)
            embedder = recorder.transformer.condition_embedder

            def look(_module: Any, given: Any) -> None:
                seen.append(given[0])

            handle = embedder.register_forward_pre_hook(look)
            engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled())
            handle.remove()
            known = loaded.engine._latent([loaded.engine._picture(inputs.image, settings)])
        per_frame = seen[0].reshape(2, -1)
        assert float(per_frame[1].min()) == pytest.approx(1000)
        assert float(per_frame[0].max()) == pytest.approx(200)
        (call,) = recorder.calls
        draw = torch.Generator().manual_seed(7)
        noise = torch.randn(call["latents"].shape, generator=draw)
        assert torch.allclose(call["latents"][:, :, 1:], noise[:, :, 1:])
        expected = 0.8 * known + 0.2 * noise[:, :, :1]
        assert torch.allclose(call["latents"][:, :, :1], expected, atol=1e-6)
