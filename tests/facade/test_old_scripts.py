"""Scripts of tiomagic 1.0.0: its documented parameters, errors and habits."""

import contextlib
import io
import os
import pty
import subprocess
import sys

import pytest
from tests.facade.conftest import clean_environment

from tiomagic import TioMagic, errors
from tiomagic.core import errors as old_errors
from tiomagic.errors import ImplementationError, TioMagicError, ValidationError
from tiomagic_domain.testing import FakeProvider

PIPELINE = {"num_videos_per_prompt": 1, "return_dict": True, "generator": None, "latents": None}
PIPELINE |= {"prompt_embeds": None, "attention_kwargs": None, "callback_on_step_end": None}
PIPELINE |= {"callback_on_step_end_tensor_inputs": None, "negative_prompt": ""}
WAN = PIPELINE | {"height": 480, "width": 832, "num_frames": 81, "num_inference_steps": 50}
WAN |= {"guidance_scale": 5.0, "output_type": "np", "max_sequence_length": 512}
VACE = WAN | {"video": None, "mask": None, "reference_images": None, "conditioning_scale": 1.0}
COG = PIPELINE | {"height": 480, "width": 720, "num_frames": 48, "num_inference_steps": 50}
COG |= {"timesteps": None, "guidance_scale": 7.0, "output_type": "pil", "max_sequence_length": 226}
FRAMEPACK = PIPELINE | {"prompt_2": "", "negative_prompt2": "", "height": 720, "width": 1280}
FRAMEPACK |= {"num_frames": 129, "num_inference_steps": 50, "sigmas": None, "true_cfg_scale": 1.0}
FRAMEPACK |= {"guidance_scale": 6.0, "image_latents": None, "last_image_latents": None}
FRAMEPACK |= {"pooled_prompt_embeds": None, "output_type": "pil", "clip_skip": None}
LTX = PIPELINE | {"height": 512, "width": 704, "num_frames": 161, "num_inference_steps": 50}
LTX |= {"timesteps": None, "guidance_scale": 3.0, "decode_timestep": 0.0, "output_type": "pil"}
LTX |= {"decode_noise_scale": None, "max_sequence_length": 128, "promt_attension_mask": None}
LTX |= {"negative_prompt_attension_mask": None, "guidance_rescale": 0.0}
PUSA = {"negative_prompt": "", "cond_position": "0", "noise_multipliers": "0.0", "lora_alpha": 1.0}

T, V, B, P = "text_to_video", "image_to_video", "interpolate", "pose_guidance"
TABLES = [
    (T, "cogvideox-5b", COG),
    (T, "pusa-v1", {"negative_prompt": ""}),
    (T, "wan2.1-t2v-14b", WAN),
    (T, "wan2.1-14b-t2v-fusionx", WAN),
    (T, "wan2.1-vace-14b", VACE | {"flow_shift": 3.0}),
    (T, "wan2.1-vace-14b-phantom-fusionx", VACE | {"flow_shift": 3.0}),
    (V, "cogvideox-5b-image-to-video", COG),
    (V, "framepack-i2v-hy", FRAMEPACK),
    (V, "ltx-video", LTX),
    (V, "pusa-v1", PUSA | {"num_inference_steps": 30, "num_frames": 81}),
    (V, "wan2.1-i2v-14b-720p", WAN | {"conditioning_scale": 1.0, "image_embeds": None}),
    (V, "wan2.1-vace-14b", VACE | {"flow_shift": 5.0}),
    (V, "wan2.1-vace-14b-i2v-fusionx", VACE | {"flow_shift": 5.0}),
    (B, "wan2.1-flf2v-14b-720p", WAN | {"image_embeds": None, "flow_shift": 5.0}),
    (B, "wan2.1-vace-14b", VACE | {"flow_shift": 5.0}),
    (B, "framepack-i2v-hy", FRAMEPACK),
    (P, "wan2.1-vace-14b", VACE | {"flow_shift": 3.0, "guiding_video": None}),
]
"""Feature, model and documented defaults; None where a table has none."""

INPUTS = {
    T: {},
    V: {"image": b"red"},
    B: {"first_frame": b"red", "last_frame": b"blue"},
    P: {"image": b"red", "pose_video": b"walk"},
}
CHANGED_FRAME_COUNTS = {
    "cogvideox-5b": 49,
    "cogvideox-5b-image-to-video": 49,
    "framepack-i2v-hy": 145,
}


@pytest.mark.filterwarnings("ignore:.*default of tiomagic 1.0.0")
@pytest.mark.parametrize(("feature", "model", "defaults"), TABLES)
def test_the_documented_defaults_are_accepted(fake_app, feature, model, defaults):
    """All parameters of a table at once, as the table has them, and the model among the inputs."""
    fake_app.tm.configure("modal")
    inputs = {"prompt": "a fox", "model": model} | INPUTS[feature]
    job = getattr(fake_app.tm, feature)(model=model, required_args=inputs, **defaults)
    made = job.generation["optional_args"] | job.generation["required_args"]
    expected = {
        name: value
        for name, value in defaults.items()
        if name in {"height", "width", "num_inference_steps", "guidance_scale", "flow_shift"}
    }
    assert {name: made[name] for name in expected} == expected
    assert made["num_frames"] == CHANGED_FRAME_COUNTS.get(
        model, 81 if model != "ltx-video" else 161
    )
    assert not {"num_videos_per_prompt", "output_type", "return_dict", "model"} & made.keys()


def test_a_length_that_is_none_is_moved_with_a_warning(fake_app):
    """Only the documented default of the model; any other wrong length is refused as before."""
    fake_app.tm.configure("modal")
    with pytest.warns(UserWarning, match=r"makes no 48 frames.*num_frames is 49"):
        fake_app.tm.text_to_video("cogvideox-5b", {"prompt": "a fox"}, num_frames=48)
    for model, frames in (
        ("cogvideox-5b", 47),
        ("wan2.1-t2v-14b", 48),
        ("wan2.1-t2v-14b", 129 + 1),
    ):
        with pytest.raises(ValidationError, match="num_frames"):
            fake_app.tm.text_to_video(model, {"prompt": "a fox"}, num_frames=frames)


class Generator:
    """What of a torch.Generator a call needs."""

    def __init__(self, seed):
        self._seed = seed

    def initial_seed(self):
        return self._seed


@pytest.mark.parametrize("generator", [Generator(42), [Generator(42)]])
def test_a_generator_is_its_seed(fake_app, generator):
    """The seed is recorded; two different ones are refused."""
    fake_app.tm.configure("modal")
    job = fake_app.tm.text_to_video(prompt="a fox", generator=generator)
    assert job.generation["optional_args"]["seed"] == 42
    assert fake_app.tm.text_to_video(prompt="a fox", generator=generator, seed=42)
    with pytest.raises(ValidationError, match=r"generator.*give seed alone"):
        fake_app.tm.text_to_video(prompt="a fox", generator=generator, seed=43)


def test_pusas_texts_are_numbers(fake_app):
    """Noise and position came as texts with commas: one number is one."""
    fake_app.tm.configure("modal")
    call = {"model": "pusa-v1", "prompt": "a fox", "image": b"red"}
    made = fake_app.tm.image_to_video(**call, cond_position="3", noise_multipliers="0.4").generation
    assert made["optional_args"]["cond_position"] == 3
    assert made["optional_args"]["noise_multiplier"] == 0.4
    with pytest.raises(ValidationError, match="noise_multiplier="):
        fake_app.tm.image_to_video(**call, noise_multipliers="0.2,0.4")


REFUSED = [
    ("num_videos_per_prompt", 2, "tm.batch"),
    ("num_videos_per_prompt", True, "tm.batch"),
    ("return_dict", False, "returns the job"),
    ("output_type", "latent", "tm.convert"),
    ("generator", 42, "seed="),
    ("generator", Generator(2**40), "seed="),
    ("generator", [Generator(1), Generator(2)], "seed="),
    ("max_sequence_length", 64, "leave it out"),
    ("timesteps", [999, 500], "num_inference_steps"),
    ("sigmas", [1.0], "num_inference_steps"),
    ("callback_on_step_end_tensor_inputs", ["prompt_embeds"], "latents"),
    ("conditioning_scale", 0.5, "nothing conditions"),
    ("video", [1], "guiding_video"),
    ("reference_images", ["a.png"], "image"),
    ("prompt_2", "another", "put it all there"),
    ("negative_prompt_2", "another", "negative_prompt"),
    ("image_embeds", object(), "picture"),
    ("clip_skip", 2, "layers"),
    ("noise_multipliers", "0.2", "none of this model's"),
]


@pytest.mark.parametrize(("name", "value", "instead"), REFUSED)
def test_what_has_no_equivalent_says_what_to_use(fake_app, name, value, instead):
    """The error names the parameter, with every other problem of the call; nothing is stored."""
    fake_app.tm.configure("modal")
    with pytest.raises(ValidationError, match=r"tiomagic 1\.0\.0") as caught:
        fake_app.tm.text_to_video("wan2.1-t2v-14b", {"prompt": "a fox"}, **{name: value}, seed=-1)
    found = {problem.field: problem.message for problem in caught.value.problems}
    assert set(found) == {name, "seed"}
    assert instead in found[name]
    assert fake_app.tm.list_jobs() == []


def test_equal_second_prompts_are_no_others(fake_app):
    """The pipeline's own default of a second prompt is the first one."""
    fake_app.tm.configure("modal")
    call = {"prompt": "a fox", "prompt_2": "a fox", "negative_prompt": "an owl"}
    assert fake_app.tm.text_to_video(**call, negative_prompt_2="an owl").status == "queued"


def test_a_model_that_is_named_twice_differently_is_refused(fake_app):
    """One in the call and another one among the inputs is a mistake."""
    fake_app.tm.configure("modal")
    with pytest.raises(ValidationError, match="give it once"):
        fake_app.tm.text_to_video("pusa-v1", {"prompt": "a fox", "model": "cogvideox-5b"})
    job = fake_app.tm.text_to_video(required_args={"prompt": "a fox", "model": "pusa-v1"})
    assert job.model == "pusa-v1"


def test_errors_are_where_they_were():
    """Every error has the same class under both names, and the one that was missing is there."""
    assert set(old_errors.__all__) == set(errors.__all__)
    assert all(getattr(old_errors, name) is getattr(errors, name) for name in errors.__all__)
    assert issubclass(errors.MissingDependencyError, ImplementationError)
    assert issubclass(ImplementationError, TioMagicError)


OLD_ERROR_FIELDS = {
    "UnknownModelError": "model available_models",
    "UnknownProviderError": "provider available_providers",
    "JobTimeoutError": "job_id timeout_seconds",
    "JobExecutionError": "job_id reason provider_error",
    "AuthenticationError": "provider",
    "APIError": "status_code response_body url",
    "DeploymentError": "service reason app_name",
    "ValidationError": "field value constraints",
    "RateLimitError": "provider retry_after limit_type",
    "ResourceNotFoundError": "resource_type resource_id location",
    "ProcessingError": "media_type operation reason file_path",
    "ConfigurationError": "config_type missing_field",
    "ImplementationError": "provider feature reason",
    "GenerationError": "app_name model feature reason generation_params gpu_info traceback",
}


@pytest.mark.parametrize("name", OLD_ERROR_FIELDS)
def test_the_attributes_of_the_old_errors_are_readable(name):
    """Each may be read of an error that knows nothing of it, and is the detail where it does."""
    kind = getattr(old_errors, name)
    for attribute in OLD_ERROR_FIELDS[name].split():
        getattr(kind("it broke"), attribute)
        if name != "ValidationError":
            assert getattr(kind("it broke", details={attribute: 7}), attribute) == 7


def test_the_attributes_have_what_happened(fake_app):
    """Errors that this version raises fill them in."""
    with pytest.raises(errors.UnknownProviderError) as caught:
        fake_app.tm.configure("nowhere")
    assert caught.value.provider == "nowhere"
    assert "modal" in caught.value.available_providers
    fake_app.tm.configure("modal")
    with pytest.raises(errors.UnknownModelError) as unknown:
        fake_app.tm.text_to_video("nothing", prompt="a fox")
    assert (unknown.value.model, "wan2.1-t2v-14b" in unknown.value.available_models) == (
        "nothing",
        True,
    )
    with pytest.raises(ValidationError) as refused:
        fake_app.tm.text_to_video(prompt="a fox", num_frames=-1)
    assert (refused.value.field, refused.value.value) == ("num_frames", "-1")


CODE = """
import os
from tiomagic import TioMagic
from tiomagic_domain.testing import FakeProvider
parts = {"providers": {"modal": FakeProvider(__import__("pathlib").Path("spool"), name="modal")}}
tm = TioMagic(provider="modal", overrides=parts)
print(tm.text_to_video(prompt="a fox").job_id)
"""
AGAIN = """
os.environ["TIOMAGIC_ANNOUNCE_JOBS"] = "false"
print(TioMagic(provider="modal", overrides=parts).text_to_video(prompt="a fox").job_id)
"""


def on_a_terminal(folder, code):
    """Run a script with a terminal for stderr, and return what stdout and the terminal have."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        # While it runs: a terminal that nobody reads is full soon, and its writer waits.
        with contextlib.suppress(OSError):  # The end of a terminal whose other side is closed.
            while chunk := os.read(ours, 1000):
                shown += chunk
        out = process.communicate()[0].decode()
    os.close(ours)
    return out.strip(), shown.decode()


def test_the_id_is_said_on_a_terminal(folder):
    """Once, with what to ask; the setting turns it off."""
    printed, shown = on_a_terminal(folder, CODE + AGAIN)
    job_id, unsaid = printed.split()
    assert shown.count(job_id) == 2, "its id, and the call that asks for it, once"
    assert f'tm.check_generation_status("{job_id}")' in shown
    assert unsaid not in shown


def test_nothing_is_said_elsewhere(folder, python, monkeypatch, tmp_path):
    """As a library it is silent, and without a stderr nothing breaks."""
    done = python(CODE)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setattr(sys, "stderr", None)
    fake = FakeProvider(tmp_path / "spool", name="modal")
    tm = TioMagic(provider="modal", overrides={"providers": {"modal": fake}})
    assert tm.text_to_video(prompt="a fox").status == "queued"
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    assert tm.text_to_video(prompt="a fox").status == "queued"
    tm.close()
