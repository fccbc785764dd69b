"""The sound beside a video: there, at its place, and as long as the frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.media.files import RECIPE

from tiomagic_domain.errors import GenerationError, ProcessingError
from tiomagic_media.encode.mp4 import read_embedded_recipe, write_mp4
from tiomagic_media.encode.sound import fit_sound_length

RATE = 24_000


def tone(seconds: float, *, hertz: float = 440, rate: int = RATE, channels: int = 2) -> Any:
    """Return a sine: float32, (samples, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * time)
    return np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32)


def write(path: Path, audio: Any, *, frames: int = 24, fps: int = 24, rate: int = RATE) -> Path:
    """Write a black video with sound."""
    black = np.zeros((frames, 32, 32, 3), np.uint8)
    write_mp4(path, black, fps=fps, recipe=RECIPE, audio=audio, audio_rate=rate)
    return path


def heard(path: Path) -> Any:
    """Return the sound of a file: (samples, channels)."""
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(blocks, axis=1).T


@pytest.mark.parametrize(
    ("frames", "fps", "rate", "channels"),
    [(9, 24, 24_000, 2), (121, 24, 24_000, 2), (17, 25, 16_000, 1), (30, 60, 48_000, 2)],
)
@pytest.mark.parametrize("given", [0.3, 1.0, 2.0])
def test_both_streams_last_as_long_as_the_frames(
    tmp_path: Path, frames: int, fps: int, rate: int, channels: int, given: float
) -> None:
    """Whatever the model gave: too little sound is followed by silence, too much is cut off."""
    seconds = frames / fps
    audio = tone(seconds * given, rate=rate, channels=channels)
    path = write(tmp_path / "a.mp4", audio, frames=frames, fps=fps, rate=rate)
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", rate, channels)
        for stream in (video, sound):
            assert stream.start_time == 0
            assert float(stream.duration * stream.time_base) == pytest.approx(seconds, abs=1e-4)
        assert container.duration / 1e6 == pytest.approx(seconds, abs=1e-4)
        assert video.average_rate == fps
        assert sum(1 for _ in container.decode(video)) == frames


def test_the_sound_is_what_the_model_gave(tmp_path: Path) -> None:
    """A tone is heard at its height, from the first moment on, and is silent where it ended."""
    samples = heard(write(tmp_path / "a.mp4", tone(0.5)))
    spectrum = np.abs(np.fft.rfft(samples[: RATE // 2, 0]))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4)
    # Half a second of the tone, then silence: in place to a few thousandths of a second.
    loud = np.abs(samples[:, 0]) > 0.25
    assert loud.argmax() < 0.005 * RATE
    assert len(loud) - loud[::-1].argmax() == pytest.approx(RATE / 2, abs=0.005 * RATE)


def test_left_and_right_are_not_mixed_up(tmp_path: Path) -> None:
    """The first channel is the left one."""
    audio = tone(1.0)
    audio[:, 1] = 0
    samples = heard(write(tmp_path / "a.mp4", audio))
    assert np.abs(samples[:, 0]).max() > 0.4
    assert np.abs(samples[:, 1]).max() < 0.01


def test_what_is_too_loud_is_clipped() -> None:
    """An encoder would wrap or distort it."""
    loud = fit_sound_length(np.array([[3.0], [-3.0], [0.5]]), 3)
    assert loud.tolist() == [[1.0], [-1.0], [0.5]]
    assert loud.dtype == np.float32


def test_sound_that_is_no_numbers_is_an_error_and_no_file(tmp_path: Path) -> None:
    """A model that broke down is told, not heard."""
    audio = tone(1.0)
    audio[100] = np.nan
    with pytest.raises(GenerationError) as caught:
        write(tmp_path / "a.mp4", audio)
    assert caught.value.code == "not_finite"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(24_000,), (24_000, 6), (2, 24_000)])
def test_sound_of_another_form_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Channels come second, and there are one or two."""
    with pytest.raises(ProcessingError, match="1 or 2 channels"):
        write(tmp_path / "a.mp4", np.zeros(shape, np.float32))


def test_a_silent_video_has_no_second_stream(tmp_path: Path) -> None:
    """Most models make no sound."""
    path = tmp_path / "a.mp4"
    write_mp4(path, np.zeros((2, 32, 32, 3), np.uint8), fps=8, recipe=RECIPE)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_the_same_sound_gives_the_same_file_and_keeps_the_recipe(tmp_path: Path) -> None:
    """Byte for byte, with the recipe inside as ever."""
    files = [write(tmp_path / name, tone(1.0)) for name in ("a.mp4", "b.mp4")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert read_embedded_recipe(files[0]) == RECIPE
