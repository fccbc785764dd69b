"""Step caches: each leaves out what it says, is repeatable, and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import WanTransformer3DModel
from tests.local.speed.desk import CallCounter, StopsAt

from tiomagic_domain.catalogue.acceleration import FAST_LEVELS, Acceleration
from tiomagic_domain.errors import GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_local import calibrate
from tiomagic_local.acceleration.step_caches import magnitudes
from tiomagic_local.acceleration.step_caches.activate import KINDS, MIN_STEPS, enable_step_cache
from tiomagic_local.acceleration.step_caches.choosing import choose_cache
from tiomagic_local.acceleration.step_caches.clock import StepClock, read_noise
from tiomagic_local.acceleration.step_caches.kinds import CacheRun
from tiomagic_local.acceleration.step_caches.magnitudes import MagnitudeCurve, Magnitudes
from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

T2V = Feature.TEXT_TO_VIDEO
WORKS = [
    ("wan2.1-t2v-1.3b", T2V, "mag"),
    ("wan2.1-t2v-1.3b", T2V, "sea"),
    ("wan2.1-t2v-1.3b", T2V, "taylor"),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE, "first_block"),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE, "mag"),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE, "sea"),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE, "taylor"),
    ("wan2.2-t2v-a14b", T2V, "mag"),
    ("wan2.2-t2v-a14b", T2V, "sea"),
    ("cogvideox-2b", T2V, "mag"),
    ("cogvideox-2b", T2V, "taylor"),
    ("ltx-video", T2V, "mag"),
    ("ltx-video", T2V, "taylor"),
]
LEVELS = {
    "first_block": {"cache_threshold": 0.9},
    "mag": {"cache_threshold": 0.9},
    "sea": {"cache_threshold": 1.0},
    "taylor": {"cache_interval": 3},
}
FLAT = MagnitudeCurve((0.0, 1.0), (0.0, 0.01))


@pytest.fixture(autouse=True)
def calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for calibrations, with one for every model of these tests."""
    monkeypatch.setattr(magnitudes, "hub_cache", lambda: tmp_path / "hub")
    for model in {model for model, _, _ in WORKS}:
        found = Magnitudes(curves={"transformer": FLAT, "transformer_2": FLAT})
        found.save(magnitudes.measured_file(model))
    return tmp_path / magnitudes.FOLDER


@pytest.mark.parametrize(("model", "feature", "cache"), WORKS)
def test_each_leaves_out_blocks_and_is_gone_afterwards(desk, model, feature, cache):
    """It repeats to the last bit, a stopped run leaves nothing, and exact is exact again."""
    settings: dict[str, Any] = {"num_inference_steps": MIN_STEPS}
    wanted = {"cache": cache, **LEVELS[cache]}
    exact = desk.make(model, feature, **settings)
    steps: list[int] = []
    fast = desk.make(
        *(model, feature),
        **settings,
        acceleration=wanted,
        progress=lambda moment: steps.append(moment.step),
    )
    done = desk.facts["cache"]
    assert done["kind"] == cache
    assert min(done["computed"], done["skipped"]) > 0, done
    assert set(range(1, MIN_STEPS + 1)) <= set(steps)
    assert not np.array_equal(fast, exact)
    stop = StopsAt(7)
    with pytest.raises(GenerationCanceledError):
        desk.make(model, feature, **settings, acceleration=wanted, progress=stop, cancel=stop)
    assert np.array_equal(desk.make(model, feature, **settings, acceleration=wanted), fast)
    assert desk.facts["cache"] == done
    assert np.array_equal(desk.make(model, feature, **settings), exact)


@pytest.mark.parametrize("cache", ["first_block", "mag", "sea"])
def test_a_cache_that_skips_nothing_changes_nothing(desk, cache):
    """With the hints of VACE inside the blocks as well."""
    model, feature = "wan2.1-vace-1.3b", Feature.POSE_GUIDANCE
    settings = {"num_inference_steps": MIN_STEPS}
    exact = desk.make(model, feature, **settings)
    found = desk.make(
        model, feature, **settings, acceleration={"cache": cache, "cache_threshold": 1e-9}
    )
    assert desk.facts["cache"]["skipped"] == 0
    assert np.array_equal(found, exact)


def test_the_hints_of_vace_are_added_once(shipped):
    """Skipped passes of doodle are near the exact ones; with the hints twice they are at 30 dB."""
    exact, found = (
        shipped.make(
            "doodle", T2V, prompt="a red circle moves right", num_inference_steps=20, **one
        ).astype(float)
        for one in ({}, {"acceleration": {"cache": "sea", "cache_threshold": 0.3}})
    )
    assert shipped.facts["cache"]["skipped"] >= 10
    assert 10 * np.log10(255**2 / ((found - exact) ** 2).mean()) > 34


class TestChoosing:
    """Which cache a run takes."""

    def test_best_takes_the_first_that_works(self, desk, calibrated):
        """Without a calibration it is another one, and the record says why."""
        order = list(FAST_LEVELS)
        desk.make(num_inference_steps=MIN_STEPS, acceleration="fast")
        done = desk.facts["cache"]
        assert (done["kind"], done.get("instead")) == (order[0], None)
        pipeline, run = desk.pipeline, CacheRun(level=0, steps=20, clock=StepClock(), model="m")
        kind, _, instead = choose_cache(pipeline, {"mag": 0.1, "first_block": 0.06}, run)
        assert kind == "first_block"
        assert "not mag: the model is not calibrated" in instead

    def test_one_that_is_asked_for_and_cannot_is_refused(self, desk, calibrated):
        """With the reason, and what to do."""
        magnitudes.measured_file("wan2.1-t2v-1.3b").unlink()
        with pytest.raises(ValidationError, match=r"calibrate wan2\.1-t2v-1\.3b .*'best'"):
            desk.make(num_inference_steps=MIN_STEPS, acceleration={"cache": "mag"})
        with pytest.raises(ValidationError, match="does not read the latents"):
            desk.make("ltx-video", num_inference_steps=MIN_STEPS, acceleration={"cache": "sea"})

    def test_mag_is_not_for_loras(self):
        """It was measured without them; the others decide by what they see."""
        run = CacheRun(level=0.1, steps=20, clock=StepClock(), adapted=True)
        run = replace(run, curves={"transformer": FLAT})
        refused = {kind: cache.why_not(run, {}) for kind, cache in KINDS.items()}
        assert refused.pop("mag") == "the model is calibrated without LoRAs"
        assert set(refused.values()) == {None}

    def test_several_devices_decide_alike(self):
        """By what is the same on all of them, or not at all."""
        run = CacheRun(level=0.1, steps=20, clock=StepClock(), summed=lambda sums: sums)
        run = replace(run, curves={"transformer": FLAT})
        refused = [kind for kind, cache in KINDS.items() if cache.why_not(run, {})]
        assert refused == ["sea"]

    def test_the_old_argument_is_the_first_block_cache(self):
        """A threshold alone, as recipes have it."""
        assert Acceleration(cache_threshold=0.1).step_caches() == {"first_block": 0.1}
        assert Acceleration(cache="taylor", cache_interval=5).step_caches() == {"taylor": 5}
        assert Acceleration().step_caches() == {}

    def test_a_pipeline_that_names_no_passes_runs_without(self):
        """Two passes would be taken for one another."""
        small = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 16, "num_layers": 3}
        widths = {"text_dim": 16, "freq_dim": 16, "in_channels": 4, "out_channels": 4}
        model = WanTransformer3DModel(**small, **widths).eval()
        given = torch.ones(1, 4, 2, 4, 4), torch.full((1,), 900.0), torch.ones(1, 4, 16)

        class Pipeline:
            components = {"transformer": model}  # noqa: RUF012

        run = CacheRun(level=0.9, steps=20, clock=StepClock())
        with torch.no_grad():
            exact = model(*given).sample
            with enable_step_cache(Pipeline(), "first_block", run) as stats:
                found = model(*given).sample
                assert torch.equal(model(*given).sample, exact)
        assert torch.equal(found, exact)
        assert "which pass" in stats.to_dict()["refused"]


class TestClock:
    """Steps are counted from the noise."""

    def test_a_rising_noise_is_a_new_section(self):
        """Each pass has its own steps."""
        clock = StepClock()
        seen = [clock.advance("cond", noise) for noise in (0.9, 0.5, 0.9, 0.4)]
        assert [moment.index for moment in seen] == [0, 1, 0, 1]
        assert [moment.begins for moment in seen] == [True, False, True, False]
        assert seen[3].before == 0.9
        assert clock.advance("uncond", 0.5).index == 0

    def test_it_reads_the_timestep_wherever_it_is(self):
        """By name, by place, and one for each token."""
        model = WanTransformer3DModel
        part = model.__new__(model)
        assert read_noise(part, (), {"timestep": torch.tensor([500.0])}) == 0.5
        assert read_noise(part, (None, torch.tensor([[0.0, 250.0]])), {}) == 0.25


class TestCalibration:
    """The size of the residual along the noise."""

    def test_any_two_levels_have_their_ratio(self):
        """However many steps lie between: ratios of short ways multiply to that of the long one."""
        curve = MagnitudeCurve((0.2, 0.6, 1.0), (-0.4, -0.1, 0.0))
        way = curve.ratio(0.9, 0.7) * curve.ratio(0.7, 0.3)
        assert way == pytest.approx(curve.ratio(0.9, 0.3))
        assert curve.ratio(0.1, 0.0) == 1.0

    def test_a_broken_file_is_none(self, tmp_path):
        """What cannot be a curve is not used."""
        path = tmp_path / "one.json"
        for text in ("", "{}", '{"curves": {"t": {"noise": [1, 0], "log_size": [0, 0]}}}'):
            path.write_text(text)
            assert Magnitudes.load(path) is None
        Magnitudes(curves={"t": FLAT}, facts={"videos": 4}).save(path)
        assert Magnitudes.load(path) == Magnitudes(curves={"t": FLAT}, facts={"videos": 4})

    def test_doodle_has_its_own(self):
        """In its folder; the noise of its residual is known from 0.06 to 1."""
        found = Magnitudes.load(PACKAGED_WEIGHTS_DIR / "doodle" / magnitudes.FILE)
        assert found is not None
        curve = found.curves["transformer"]
        assert curve.noise[0] < 0.1
        assert curve.noise[-1] > 0.99
        assert found.facts["spread"] < 0.05

    @pytest.mark.parametrize("model", ["wan2.2-t2v-a14b", "wan2.1-i2v-14b-480p", "ltx-video"])
    def test_the_command_measures_a_model(self, desk, capsys, model):
        """Both experts of a pair; a model that begins with a picture gets one that is drawn."""
        from tests.tiny import save

        save(desk.folder, [model])
        output = desk.folder / "found.json"
        arguments = ["--weights-dir", str(desk.folder), "--device", "cpu", "--videos", "1"]
        for name, value in {"width": 32, "height": 32, "num_frames": 9}.items():
            arguments += ["--set", f"{name}={value}"]
        status = calibrate.main([model, *arguments, "--steps", "12", "--output", str(output)])
        assert status == 0, capsys.readouterr().err
        found = Magnitudes.load(output)
        assert found is not None
        assert all(len(curve.noise) >= 2 for curve in found.curves.values())
        assert found.facts["videos"] == 1
        assert str(output) in capsys.readouterr().out
        assert len(json.loads(output.read_text())["curves"]) == (2 if "a14b" in model else 1)

    def test_a_model_without_step_caches_is_refused(self, capsys):
        """Before anything is looked for."""
        assert calibrate.main(["wan2.2-animate-14b"]) == 1
        assert "has no step cache" in capsys.readouterr().err

    def test_missing_weights_are_named(self, capsys, tmp_path):
        """With the command that brings them."""
        assert calibrate.main(["ltx-video", "--weights-dir", str(tmp_path)]) == 1
        assert "tiomagic download ltx-video" in capsys.readouterr().err


def test_the_blocks_are_really_not_called(desk):
    """Those of TaylorSeer: neither the blocks nor those of the control."""
    model, feature = "wan2.1-vace-1.3b", Feature.POSE_GUIDANCE
    desk.make(model, feature)
    blocks = desk.pipeline.transformer.blocks
    with CallCounter(blocks[0].ffn) as ran:
        wanted = {"cache": "taylor", "cache_interval": 4}
        desk.make(model, feature, num_inference_steps=MIN_STEPS, acceleration=wanted)
    assert ran.count == desk.facts["cache"]["computed"]
