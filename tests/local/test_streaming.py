"""The video is encoded while the VAE still decodes, and nobody can tell from the file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.local.materials import Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.errors import GenerationCanceledError, GenerationError, ProcessingError
from tiomagic_domain.features import Feature, TextToVideoInputs
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.engines import _wan
from tiomagic_local.engines._shared import stream as _stream
from tiomagic_local.engines._shared.frame_sink import stream_frames_to
from tiomagic_local.engines._shared.stream import FrameStream
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request
from tiomagic_media.encode.mp4 import Mp4

if TYPE_CHECKING:
    from tiomagic_domain.ports.provider import Report, Request
    from tiomagic_local.runtime.loaded import Loaded

T2V = "wan2.1-t2v-1.3b"
PATCHED = "wan2.2-ti2v-5b"
FORCING = "skyreels-v2-df-1.3b-540p"
IN_ORDER = [
    (T2V, Feature.TEXT_TO_VIDEO),
    ("wan2.1-i2v-14b-480p", Feature.IMAGE_TO_VIDEO),
    ("wan2.1-flf2v-14b-720p", Feature.INTERPOLATE),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE),
    (PATCHED, Feature.TEXT_TO_VIDEO),
    (PATCHED, Feature.IMAGE_TO_VIDEO),
    (FORCING, Feature.TEXT_TO_VIDEO),
    (FORCING, Feature.IMAGE_TO_VIDEO),
]


@pytest.fixture(scope="module")
def runtime(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with tiny weights of the whole family."""
    folder = save(tmp_path_factory.mktemp("family"), [PATCHED, FORCING])
    for made in weights_dir.iterdir():
        (folder / made.name).symlink_to(made)
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))


@pytest.fixture(autouse=True)
def _as_on_a_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the CPU, on which these tests run, taken for a device beside it."""
    if "on_a_cpu" not in request.fixturenames:
        monkeypatch.setattr(_stream, "leaves_the_cpu_free", lambda _device: True)


@pytest.fixture
def on_a_cpu() -> None:
    """Have the CPU taken for what it is."""


@pytest.fixture
def decoder(runtime: Runtime) -> Iterator[Any]:
    """The decoder of the text model; all that a run hung on it or started is gone afterwards."""
    found = engine_of(runtime, T2V, Feature.TEXT_TO_VIDEO)._pipeline.vae.decoder
    own = len(found._forward_hooks)
    yield found
    assert len(found._forward_hooks) == own
    assert not found._forward_pre_hooks
    assert encoders() == []


def encoders() -> list[str]:
    """Return the threads that encode."""
    return [t.name for t in threading.enumerate() if t.name.startswith("tiomagic-encoder")]


@contextmanager
def hooked(register: Callable[[Any], Any], hook: Any) -> Iterator[None]:
    """Have a hook on a module for the time of the block."""
    handle = register(hook)
    try:
        yield
    finally:
        handle.remove()


def run(runtime: Any, request: Request, folder: Path, **how: Any) -> tuple[Report, bytes]:
    """Return the report of a run and its file."""
    target = folder / "clip.mp4"
    report = run_request(request, runtime=runtime, target=target, **how)
    assert [path.name for path in folder.iterdir()] == ["clip.mp4"]
    data = target.read_bytes()
    target.unlink()
    return report, data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    place = tmp_path / "made"
    place.mkdir()
    return place


class RecordingSink:
    """A sink that remembers what it hears.

    Attributes:
        clips: The frames of each clip, as arrays that the engine fills.
        taken: Frames of each piece.
        dropped: How often it was told to let go.
    """

    def __init__(self) -> None:
        self.clips: list[Any] = []
        self.taken: list[int] = []
        self.dropped = 0

    def begin(self, frames: Any, fps: float) -> None:
        """Remember a clip."""
        assert fps > 0
        self.clips.append(frames)

    def take(self, count: int, fetch: Callable[[], None]) -> None:
        """Remember a piece."""
        fetch()
        self.taken.append(count)

    def drop(self) -> None:
        """Remember that it was in vain."""
        self.dropped += 1


@pytest.mark.parametrize(("model", "feature"), IN_ORDER)
def test_the_file_is_the_same_to_the_last_byte(
    runtime: Runtime,
    studio: Materials,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    feature: Feature,
) -> None:
    """Each pipeline of the family, streamed and as diffusers puts the video together."""
    request = studio.request(model, feature, num_frames=9)
    # The first run encodes the prompt, which the recipes of the others say they did not.
    run(runtime, request, folder)
    _, streamed = run(runtime, request, folder)
    heard: list[int] = []
    begin = FrameStream.__enter__

    def counted(stream: FrameStream) -> FrameStream:
        heard.append(1)
        return begin(stream)

    monkeypatch.setattr(FrameStream, "__enter__", counted)
    with monkeypatch.context() as patch:
        patch.setattr(_stream, "leaves_the_cpu_free", lambda _device: False)
        _, again = run(runtime, request, folder)
    assert heard == [1]
    monkeypatch.setattr(_wan, "decodes_in_order", lambda _vae: False)
    _, whole = run(runtime, request, folder)
    assert heard == [1]
    assert streamed == again == whole


def test_the_encoder_has_begun_before_the_decoder_is_done(
    runtime: Runtime,
    studio: Materials,
    folder: Path,
    decoder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last latent frame is decoded only when the first frame is encoded."""
    encoded, order = threading.Event(), []
    add = Mp4.add

    def seen(video: Mp4, frame: Any) -> None:
        add(video, frame)
        order.append("encoded")
        encoded.set()

    def before(*_call: Any) -> None:
        if order.count("decoding") == 2:
            # Without an overlap it is never encoded, and this is where the test fails.
            assert encoded.wait(60)
        order.append("decoding")

    monkeypatch.setattr(Mp4, "add", seen)
    with hooked(decoder.register_forward_pre_hook, before):
        run(runtime, studio.request(num_frames=9), folder)
    assert order.count("decoding") == 3
    assert order.count("encoded") == 9
    last = len(order) - order[::-1].index("decoding") - 1
    assert order.index("encoded") < last


def test_the_clip_is_what_was_told_and_no_copy(runtime: Runtime, decoder: Any) -> None:
    """The frames that the sink has seen fill are the very ones of the clip."""
    engine = engine_of(runtime, T2V, Feature.TEXT_TO_VIDEO)
    settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, num_frames=9)
    listener = RecordingSink()
    inputs = TextToVideoInputs(prompt="a fox runs")
    with stream_frames_to(listener):
        clip = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert clip.frames is listener.clips[0]
    assert listener.taken == [1, 4, 4]
    assert listener.dropped == 0
    # Nobody listens any more.
    again = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert len(listener.clips) == 1
    assert np.array_equal(again.frames, clip.frames)


@pytest.mark.usefixtures("on_a_cpu")
def test_a_cpu_decodes_and_encodes_one_after_the_other(runtime: Runtime, decoder: Any) -> None:
    """Nobody hears of the frames, and the clip is the same."""
    engine = engine_of(runtime, T2V, Feature.TEXT_TO_VIDEO)
    settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, num_frames=9)
    listener, inputs = RecordingSink(), TextToVideoInputs(prompt="a fox runs")
    with stream_frames_to(listener):
        clip = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert listener.clips == []
    assert clip.frames.shape == (9, 32, 32, 3)
    assert np.asarray(clip.frames).std() > 0


def test_tiles_are_not_streamed(runtime: Runtime, decoder: Any) -> None:
    """A tile is a part of all frames: the clip is the one of before, and nobody hears of it."""
    engine = engine_of(runtime, T2V, Feature.TEXT_TO_VIDEO)
    settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, num_frames=9)
    inputs, listener, vae = (
        TextToVideoInputs(prompt="a fox runs"),
        RecordingSink(),
        engine._pipeline.vae,
    )
    kept = (vae.tile_sample_min_height, vae.tile_sample_stride_height)
    vae.enable_tiling(16, 16, 8, 8)
    calls: list[int] = []
    try:
        with (
            stream_frames_to(listener),
            hooked(decoder.register_forward_pre_hook, lambda *_: calls.append(1)),
        ):
            clip = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    finally:
        vae.enable_tiling(kept[0], kept[0], kept[1], kept[1])
        vae.use_tiling = False
    assert len(calls) > 3
    assert listener.clips == []
    assert clip.frames.shape == (9, 32, 32, 3)
    assert np.asarray(clip.frames).std() > 0


def test_segments_are_not_streamed(tmp_path: Path, studio: Materials, folder: Path) -> None:
    """Wan Animate shares frames between segments: what it decodes is not yet the clip."""
    model = "wan2.2-animate-14b"
    made = Runtime(LocalOptions(weights_dir=save(tmp_path / "animate", [model]), device="cpu"))
    engine = engine_of(made, model, Feature.POSE_GUIDANCE)
    assert not engine.streams_frames
    report, _ = run(made, studio.request(model, Feature.POSE_GUIDANCE), folder)
    assert report.facts["frames"] == 5


def test_a_broken_frame_is_named(
    runtime: Runtime, studio: Materials, folder: Path, decoder: Any
) -> None:
    """By its number in the clip, and the model is as it was."""
    request = studio.request(num_frames=9)
    pieces: list[int] = []

    def broken(_decoder: Any, _given: Any, decoded: torch.Tensor) -> None:
        pieces.append(1)
        if len(pieces) == 3:
            decoded[0, 0, 1, 0, 0] = float("nan")

    run(runtime, request, folder)
    _, before = run(runtime, request, folder)
    with (
        hooked(decoder.register_forward_hook, broken),
        pytest.raises(GenerationError, match="frame 6 has values") as caught,
    ):
        run(runtime, request, folder)
    assert (caught.value.code, caught.value.details["frame"]) == ("not_finite", 6)
    assert list(folder.iterdir()) == []
    assert encoders() == []
    assert run(runtime, request, folder)[1] == before


def test_an_encoder_that_fails_fails_the_run(
    runtime: Runtime,
    studio: Materials,
    folder: Path,
    decoder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its own error: no real one can be provoked once the first frame was encoded."""
    failed = threading.Event()
    add, frames, calls = Mp4.add, [], []

    def failing(video: Mp4, frame: Any) -> None:
        frames.append(1)
        if len(frames) == 2:
            failed.set()
            raise ProcessingError("the video cannot be written: the encoder is out of order")
        add(video, frame)

    def before(*_call: Any) -> None:
        calls.append(1)
        if len(calls) > 2:
            assert failed.wait(60)

    request = studio.request(num_frames=33)
    monkeypatch.setattr(Mp4, "add", failing)
    with (
        hooked(decoder.register_forward_pre_hook, before),
        pytest.raises(ProcessingError, match="out of order"),
    ):
        run(runtime, request, folder)
    assert len(frames) == 2
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_an_error(
    runtime: Runtime, studio: Materials, folder: Path, decoder: Any
) -> None:
    """It is met at the end, and leaves nothing behind."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(progress: Progress) -> None:
        if progress.phase is Phase.WRITING:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))

    try:
        with pytest.raises(ProcessingError, match="cannot be written"):
            run(runtime, studio.request(num_frames=9), folder, progress=full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []


class CancelWhileDecoding:
    """A token that is set while the VAE decodes."""

    def __init__(self) -> None:
        self.decoded = 0

    def see(self, progress: Progress) -> None:
        """Take one moment of the run."""
        if progress.phase is Phase.DECODING:
            self.decoded = progress.step

    def is_canceled(self) -> bool:
        """Return True when one latent frame is decoded."""
        return self.decoded > 0

    def raise_if_canceled(self) -> None:
        """Raise when one latent frame is decoded."""
        if self.is_canceled():
            raise GenerationCanceledError("stopped")


def test_a_cancel_while_decoding_leaves_nothing(
    runtime: Runtime, studio: Materials, folder: Path, decoder: Any
) -> None:
    """And the next run is what it would have been."""
    request = studio.request(num_frames=9)
    run(runtime, request, folder)
    _, before = run(runtime, request, folder)
    token = CancelWhileDecoding()
    with pytest.raises(GenerationCanceledError):
        run(runtime, request, folder, progress=token.see, cancel=token)
    assert token.decoded == 1
    assert list(folder.iterdir()) == []
    assert encoders() == []
    assert run(runtime, request, folder)[1] == before


def test_a_model_that_gives_another_size_is_an_error(
    runtime: Runtime, studio: Materials, folder: Path, decoder: Any
) -> None:
    """What does not fit the clip is written nowhere."""

    def smaller(_decoder: Any, _given: Any, decoded: torch.Tensor) -> torch.Tensor:
        return decoded[..., :16]

    with (
        hooked(decoder.register_forward_hook, smaller),
        pytest.raises(GenerationError, match=r"\(1, 32, 16, 3\) instead of \(9, 32, 32, 3\)"),
    ):
        run(runtime, studio.request(num_frames=9), folder)
    assert list(folder.iterdir()) == []


class SmallDeviceRuntime:
    """A runtime whose device runs out of memory once, half-way through the decoding.

    Attributes:
        tries: How often a model was asked for.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.tries = 0

    @contextmanager
    def use(self, card: Any, settings: Any, *call: Any) -> Iterator[Loaded]:
        """Give the model, the first time on a device that is too small."""
        self.tries += 1
        assert encoders() == [], "the first try still encodes"
        plan = {**settings, "memory": "auto"}
        pieces: list[int] = []

        def full(*_call: Any) -> None:
            pieces.append(1)
            if len(pieces) == 2:
                raise torch.OutOfMemoryError("out of memory")

        with self._runtime.use(card, plan, *call) as loaded:
            if self.tries > 1:
                yield loaded
                return
            decoder = loaded.engine._pipeline.vae.decoder
            with hooked(decoder.register_forward_pre_hook, full):
                yield replace(loaded, fallback_plan=MemoryPlan.MODEL_OFFLOAD)


def test_a_second_try_with_less_memory_is_a_whole_video(
    weights_dir: Path, studio: Materials, folder: Path
) -> None:
    """What the first one has encoded is thrown away."""
    request = studio.request(num_frames=9)
    tight = SmallDeviceRuntime(Runtime(LocalOptions(weights_dir=weights_dir, device="cpu")))
    report, _ = run(tight, request, folder)
    assert tight.tries == 2
    assert report.facts["frames"] == 9
    assert report.facts["memory"]["reason"].endswith("ran out of memory")
    assert encoders() == []
