"""One video by two devices: the same as one device makes, really shared, and recorded.

The devices are two processes of this machine's CPU, each with a tiny model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.local.parallel.bench import (
    A14B,
    ANIMATE,
    ANIMATE_2,
    BETWEEN,
    COG,
    COG_SMALL,
    EASY,
    FORCING,
    FRAMEPACK,
    H3,
    HELIOS,
    HUNYUAN,
    HUNYUAN_I2V,
    I2V,
    KANDINSKY,
    LARGER,
    LONG,
    LTX,
    LTX_2,
    LTX_2_3,
    LTX_98,
    ODD,
    PICTURE,
    POSE,
    PUSA,
    SKYREELS,
    T2V,
    TEXT,
    TI2V,
    VACE,
    Observed,
    gone,
    make,
    pids,
)

from tiomagic_domain.errors import (
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request

if TYPE_CHECKING:
    from tests.local.materials import Materials


class TestTheVideo:
    @pytest.mark.parametrize(
        ("model", "feature", "changes"),
        [
            (T2V, TEXT, {}),
            pytest.param(T2V, TEXT, ODD, id="27 tokens"),
            (I2V, PICTURE, {}),
            pytest.param(TI2V, PICTURE, {"width": 64, "height": 64}, id="a moment for each token"),
            (PUSA, PICTURE, {}),
            pytest.param(A14B, TEXT, {}, id="two experts"),
            (LTX, TEXT, LONG),
            (LTX, PICTURE, {**LONG, "width": 96}),
            pytest.param(LTX_98, BETWEEN, {"num_frames": 17}, id="tokens behind the video's"),
            pytest.param(VACE, POSE, {}, id="hints of a control video"),
            pytest.param(VACE, BETWEEN, ODD, id="hints for 27 tokens"),
            pytest.param(ANIMATE, POSE, ODD, id="faces of frames that two ranks share"),
            pytest.param(SKYREELS, PICTURE, ODD, id="a picture beside the text"),
            pytest.param(FORCING, TEXT, ODD, id="a moment for each frame"),
            pytest.param(HUNYUAN, TEXT, ODD, id="text with a mask"),
            (HUNYUAN_I2V, PICTURE, {}),
            pytest.param(FRAMEPACK, PICTURE, {"num_frames": 37}, id="tokens before the video's"),
            pytest.param(COG, TEXT, {"num_frames": 8}, id="rotary positions from outside"),
            pytest.param(COG_SMALL, TEXT, ODD, id="no rotary positions"),
            (KANDINSKY, TEXT, ODD),
            (EASY, POSE, ODD),
            pytest.param(ANIMATE_2, POSE, ODD, id="keys and values that are kept"),
            pytest.param(
                HELIOS, TEXT, {"width": 64, "height": 64, "num_frames": 37}, id="a past in pieces"
            ),
            pytest.param(LTX_2, TEXT, LARGER, id="sound beside the video"),
            pytest.param(LTX_2_3, PICTURE, LARGER, id="sound, and a moment for each token"),
            pytest.param(
                H3,
                TEXT,
                {"width": 64, "height": 32, "num_frames": 124},
                id="text, sound and video in one row",
            ),
        ],
    )
    def test_is_that_of_one_device(
        self,
        pair: Runtime,
        single: Runtime,
        studio: Materials,
        model: str,
        feature: Feature,
        changes: dict[str, Any],
    ) -> None:
        """The same seed gives the same video, to the last bit of rounding, and as many steps.

        What the transformer says at its first step is compared too: the frames of tiny models may
        hide a difference. Each device has half of the tokens.
        """
        media = None
        if model == ANIMATE_2:
            media = {"image": studio.picture(), "guiding_video": studio.video()}
        request = studio.request(model, feature, media=media, **changes)
        expected, found = Observed.of(single, request), Observed.of(pair, request)
        assert found.facts["parallel"] == {"devices": ["cpu", "cpu"]}
        assert expected.frames.std() > 5, "a grey picture would be equal to any other"
        difference = found.frames.astype(int) - expected.frames.astype(int)
        assert np.abs(difference).max() <= 1
        assert found.told == expected.told
        assert found.first.allclose(expected.first, rtol=1e-4, atol=1e-5)
        assert found.tokens in {expected.tokens // 2, -(-expected.tokens // 2)}

    @pytest.mark.parametrize("model", [T2V, VACE])
    def test_is_that_of_one_device_with_a_cache(
        self, pair: Runtime, single: Runtime, studio: Materials, model: str
    ) -> None:
        """Both ranks leave out the same blocks: those that one device leaves out."""
        cached = {"cache_threshold": 0.06, "remember_prompts": False}
        request = studio.request(model, num_inference_steps=14, acceleration=cached)
        expected, alone = make(single, request)
        found, facts = make(pair, request)
        assert facts["acceleration"] == alone["acceleration"]
        assert facts["acceleration"]["cache"]["skipped"] > 0
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_with_loras(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """The few-step weights are on all ranks, and off after the call."""
        plain = studio.request(A14B)
        quick = studio.request(
            A14B, acceleration="turbo", num_inference_steps=2, guidance_scale=1.0
        )
        for request in (quick, plain):
            expected, _ = make(single, request)
            found, facts = make(pair, request)
            assert bool(facts["acceleration"].get("few_steps")) is (request is quick)
            assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_with_weights_in_fewer_bits(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """Each rank rounds the weights as one device does."""
        small = {"quantization": {"transformer": "int8"}}
        request = studio.request(T2V, **small)
        expected, _ = make(single, request)
        assert not np.array_equal(expected, make(single, studio.request(T2V))[0])
        found, facts = make(pair, request)
        assert "refused" not in facts["parallel"]
        assert facts["quantization"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_from_given_noise(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """Tensors go to the other ranks as they are."""
        request = studio.request(T2V)
        generator = torch.Generator("cpu").manual_seed(11)
        noise = torch.randn(1, 16, 2, 4, 4, generator=generator)
        given = replace(request, objects={"latents": noise})
        expected, _ = make(single, given)
        assert not np.array_equal(expected, make(single, request)[0])
        found, facts = make(pair, given)
        assert "refused" not in facts["parallel"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_each_device_has_half_of_the_tokens(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """The blocks see half of what they see on one device, during the call only."""
        request = studio.request(T2V)
        seen: dict[Runtime, list[int]] = {single: [], pair: []}
        for runtime, tokens in seen.items():
            with runtime.use(
                request.card, request.settings, ignore_progress, NeverCanceled()
            ) as loaded:
                block = loaded.transformers[0].blocks[0].ffn
                hook = block.register_forward_pre_hook(
                    lambda _module, given, tokens=tokens: tokens.append(given[0].shape[1])
                )
                with loaded.run_in_step(request, NeverCanceled()) as both:
                    make = getattr(loaded.engine, request.feature.value)
                    make(request.inputs, request.settings, ignore_progress, both)
                hook.remove()
                processors = [b.attn1.processor for b in loaded.transformers[0].blocks]
                assert all(p._parallel_config is None for p in processors)
        assert len(seen[pair]) == len(seen[single]) > 0
        assert set(seen[single]) == {8}
        assert set(seen[pair]) == {4}


class TestTheRecord:
    def test_says_that_a_callback_stays_here(
        self, pair: Runtime, studio: Materials, tmp_path: Path
    ) -> None:
        """What no other process can have is used here, on one device, and the job says so.

        What another model has left on the other devices is freed.
        """
        calls: list[int] = []

        def callback(_pipe: Any, index: int, _at: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            calls.append(index)
            return tensors

        request = replace(studio.request(T2V), objects={"callback_on_step_end": callback})
        report = run_request(request, runtime=pair, target=tmp_path / "clip.mp4")
        why = "callback_on_step_end is an object of this process"
        assert report.facts["parallel"] == {"devices": ["cpu"], "refused": why}
        assert why in report.message
        assert pids(pair) == []
        assert calls == [0, 1]

    def test_more_devices_than_heads(self, folder: Path, studio: Materials, tmp_path: Path) -> None:
        """Each device works on heads of its own; one that gets none is left out, and named so."""
        runtime = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu,cpu"))
        report = run_request(studio.request(T2V), runtime=runtime, target=tmp_path / "clip.mp4")
        why = "3 devices cannot share the 2 heads of its attention: 2 of them do"
        assert report.facts["parallel"] == {"devices": ["cpu", "cpu"], "refused": why}
        assert f"cpu, cpu made it: {why}" in report.message
        assert len(pids(runtime)) == 1
        runtime.unload()

    def test_nothing_is_compiled(self, pair: Runtime, studio: Materials) -> None:
        """Who asks for compiled blocks hears that they do not go together with several devices.

        The ranks that were called do not wait for a call that never comes.
        """
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        with pytest.raises(ValidationError, match="several devices"):
            make(pair, studio.request(T2V, acceleration={"compile": "on"}))
        assert gone(pid)
