"""LTX-2 by a control video: the LoRA of its kind, its size, both ends beside it, outlines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save
from tests.tiny.loras import CONTROL, save_lora

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature, PoseGuidanceInputs
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import CancelToken, NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import CancelAt, PoseGuidanceContract
from tiomagic_domain.testing.repository import make_job
from tiomagic_local.memory.demand import demand_of
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

MODEL, DISTILLED = "ltx-2", "ltx-2.3-distilled"
POSE = Feature.POSE_GUIDANCE
SIZE = {"width": 64, "height": 64, "num_frames": 9}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights, with the LoRAs of each kind of control."""
    return save(tmp_path_factory.mktemp("weights"), [MODEL, DISTILLED])


@pytest.fixture(scope="module")
def runtime(weights: Path) -> Runtime:
    """Runs them."""
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


class TestPose(PoseGuidanceContract):
    """What every engine with the feature promises."""

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, MODEL, POSE)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, POSE).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, POSE, **SIZE)


def control_by(
    runtime: Runtime,
    studio: Materials,
    model: str = MODEL,
    *,
    last: Media | None = None,
    cancel: CancelToken | None = None,
    **settings: Any,
) -> tuple[Any, dict[str, Any], Any]:
    """Return a clip by a ready control video, what the pipeline was called with, and the facts."""
    wanted = settings_of(model, POSE, **{**SIZE, **settings})
    inputs = PoseGuidanceInputs(
        prompt="a fox", image=studio.picture(), control_video=studio.video(), last_frame=last
    )
    given = (find_model(model), wanted, ignore_progress, NeverCanceled())
    with runtime.use(*given) as loaded, pytest.MonkeyPatch.context() as patch:
        recorder = CallRecorder(loaded.engine._in_context._pipeline)
        patch.setattr(loaded.engine._in_context, "_pipeline", recorder)
        token = cancel or NeverCanceled()
        clip = loaded.engine.pose_guidance(inputs, wanted, ignore_progress, token)
    return clip, recorder.calls[-1], loaded


@pytest.mark.parametrize(
    ("model", "control", "file", "downscale"),
    [
        (MODEL, "pose", "ltx-2-19b-ic-lora-pose-control", 1),
        (MODEL, "depth", "ltx-2-19b-ic-lora-union-control-ref0.5", 2),
        (DISTILLED, "edges", "ltx-2.3-22b-ic-lora-union-control-ref0.5", 2),
        (DISTILLED, "motion", "ltx-2.3-22b-ic-lora-motion-track-control-ref0.5", 2),
    ],
)
def test_a_kind_of_control_has_its_lora_and_its_size(
    runtime: Runtime, studio: Materials, model: str, control: str, file: str, downscale: int
) -> None:
    """The factor is that of the file, and the record says which file read the video."""
    clip, given, loaded = control_by(runtime, studio, model, control=control)
    assert given["reference_downscale_factor"] == downscale
    assert clip.frames.shape == (9, 64, 64, 3)
    (worn,) = loaded.facts["control"]
    assert worn["weight_name"] == f"{file}.safetensors"
    assert "Lightricks" in worn["source"]


def test_the_lora_is_off_after_the_call(runtime: Runtime, studio: Materials) -> None:
    """A video from words is the same before and after one by a control video."""
    wanted = settings_of(MODEL, Feature.TEXT_TO_VIDEO, **SIZE)
    inputs = studio.request(MODEL).inputs

    def words() -> bytes:
        with runtime.use(find_model(MODEL), wanted, ignore_progress, NeverCanceled()) as loaded:
            clip = loaded.engine.generate(inputs, wanted, ignore_progress, NeverCanceled())
        found: bytes = clip.frames.tobytes()
        return found

    before = words()
    control_by(runtime, studio)
    assert words() == before


def test_a_cancel_in_the_middle_leaves_the_next_run_alone(
    runtime: Runtime, studio: Materials
) -> None:
    """The LoRA is off again, and an identical run is the same to the last bit."""
    asked = CancelAt(10_000)
    expected = control_by(runtime, studio, cancel=asked)[0].frames
    middle = CancelAt(asked.asked // 2 + 1)
    with pytest.raises(GenerationCanceledError):
        control_by(runtime, studio, cancel=middle)
    assert 1 < middle.asked < asked.asked
    assert (control_by(runtime, studio)[0].frames == expected).all()


def test_the_control_video_decides_the_video(runtime: Runtime, studio: Materials) -> None:
    """Its LoRA and its frames reach the model: each kind of control makes another video."""
    one, other = (control_by(runtime, studio, control=kind)[0].frames for kind in ("pose", "depth"))
    assert (one != other).any()


def test_the_ends_are_beside_it(runtime: Runtime, studio: Materials) -> None:
    """The picture is frame 0, and the last one the last frame, whatever the control video is."""
    last = studio.picture(colour="blue")
    _, given, _ = control_by(runtime, studio, last=last)
    first, end = given["conditions"]
    assert (first.index, end.index) == (0, 1.875)
    assert (np.asarray(end.frames) == np.asarray(cover(load_image(last), 64, 64))).all()
    (reference,) = given["reference_conditions"]
    assert len(reference.frames) == 9
    assert {picture.size for picture in reference.frames} == {(64, 64)}
    _, alone, _ = control_by(runtime, studio)
    assert [one.index for one in alone["conditions"]] == [0]


def test_outlines_are_drawn_of_a_plain_video(runtime: Runtime, studio: Materials) -> None:
    """Of black and white alone: the model gets lines, not the video."""
    settings = settings_of(DISTILLED, POSE, **SIZE, control="edges")
    inputs = PoseGuidanceInputs(
        prompt="a fox", image=studio.picture(), guiding_video=studio.video()
    )
    given = (find_model(DISTILLED), settings, ignore_progress, NeverCanceled())
    with runtime.use(*given) as loaded:
        engine = loaded.engine._in_context
        found = engine._conditions(inputs, settings, ignore_progress, NeverCanceled())
    (reference,) = found.arguments["reference_conditions"]
    values = set(np.unique(np.stack([np.asarray(picture) for picture in reference.frames])))
    assert values <= {0, 255}


def test_a_lora_that_says_no_size_is_refused(
    weights: Path, studio: Materials, tmp_path: Path
) -> None:
    """A wrong factor would put the control video beside what it controls."""
    folder = tmp_path / MODEL
    folder.symlink_to(weights / MODEL, target_is_directory=True)
    lora = find_model(MODEL).controls["pose"].lora
    place = weights / MODEL / "loras" / str(lora.weight_name)
    kept = place.read_bytes()
    save_lora(place, CONTROL, metadata={"reference_downscale_factor": "half"})
    try:
        with pytest.raises(ConfigurationError, match="'half', which is no whole number"):
            control_by(Runtime(LocalOptions(weights_dir=tmp_path, device="cpu")), studio)
    finally:
        place.write_bytes(kept)


@pytest.mark.parametrize(
    ("control", "source", "hint"),
    [
        ("depth", "guiding_video", "give control_video, or control='pose' or control='edges'"),
        ("edges", "pose_video", "give guiding_video or control_video, or control='pose'"),
        ("motion", "guiding_video", "give control_video"),
    ],
)
def test_what_cannot_become_a_control_is_refused(control: str, source: str, hint: str) -> None:
    """With what to give in its place."""
    arguments = {"prompt": "a", "image": "a.png", "control": control, source: "b.mp4"}
    with pytest.raises(ValidationError) as caught:
        find_model(DISTILLED).schema(POSE).validate(arguments)
    (problem,) = caught.value.problems
    assert problem.field == source
    assert hint in problem.message


def test_the_base_model_of_19b_has_no_motion_tracks() -> None:
    """There is no such LoRA of it; 2.3 has one."""
    with pytest.raises(ValidationError, match="pose"):
        find_model(MODEL).schema(POSE).validate(
            {"prompt": "a", "image": "a.png", "control": "motion", "control_video": "b.mp4"}
        )


def test_sides_are_whole_latents_at_half_the_size_too() -> None:
    """96 has half of 48, which is no multiple of 32."""
    arguments = {"prompt": "a", "image": "a.png", "control_video": "b.mp4", "width": 96}
    with pytest.raises(ValidationError) as caught:
        find_model(MODEL).schema(POSE).validate(arguments)
    assert [(one.field, one.nearest) for one in caught.value.problems] == [("width", 64)]


def test_a_control_video_counts_in_the_memory_plan() -> None:
    """As many tokens more as it has: all at full size, a quarter at half."""
    card, size = find_model(MODEL), {"width": 768, "height": 512, "num_frames": 121}
    plain, pose, depth = (
        demand_of(card, {**size, **more}).activations()["denoise"]
        for more in ({}, {"control": "pose"}, {"control": "depth"})
    )
    assert pose == pytest.approx(2 * plain, rel=0.1)
    assert depth == pytest.approx(1.25 * plain, rel=0.1)


def test_the_last_picture_counts_in_the_memory_plan() -> None:
    """As a keyframe does: its tokens stand beside those of the video."""
    card = find_model(MODEL)
    settings = {"width": 768, "height": 512, "num_frames": 121, "control": "pose"}
    picture = Media(
        kind=MediaKind.IMAGE,
        sha256="0" * 64,
        path=Path("end.png"),
        media_type="image/png",
        width=64,
        height=64,
    )

    def request(**media: Media) -> Request:
        arguments = {name: one.to_reference() for name, one in media.items()}
        job = make_job(
            feature=Feature.POSE_GUIDANCE, model=card.name, optional_args={**settings, **arguments}
        )
        return Request(job=job, card=card, media=media)

    first, both = request(image=picture), request(image=picture, last_frame=picture)
    assert both.settings["picture_frames"] == [0, 120]
    less, more = (demand_of(card, one.settings).activations()["denoise"] for one in (first, both))
    assert more > less
