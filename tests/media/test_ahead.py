"""A clip that is encoded while it is being made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.files import RECIPE, moving_square

from tiomagic_domain.errors import GenerationError, ProcessingError
from tiomagic_domain.media import Clip
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.encode.streaming_writer import ClipWriter


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "encoder" in thread.name] == []


def there() -> None:
    """Wait for frames that are in their place already."""


def unstreamed(path: Path, clip: Clip) -> bytes:
    """Return the file of a clip that nobody told of."""
    frames: Any = clip.frames
    write_mp4(path, frames, fps=clip.fps, recipe=RECIPE)
    return path.read_bytes()


@pytest.mark.parametrize("told", [(), (1,), (1, 4), (1, 4, 4), (9,)])
def test_the_bytes_are_the_same_however_much_was_told(
    tmp_path: Path, told: tuple[int, ...]
) -> None:
    """Of all frames, of some, of none: the file is the one of the clip."""
    clip = Clip(frames=moving_square(9, 64, 48), fps=16.0)
    frames: Any = clip.frames
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(frames, 16.0)
        for count in told:
            writer.take(count, there)
        assert list(tmp_path.iterdir()) == []
        writer.write(clip, RECIPE)
    assert (tmp_path / "a.mp4").read_bytes() == unstreamed(tmp_path / "b.mp4", clip)


@pytest.mark.parametrize("change", ["frames", "rate"])
def test_another_clip_than_was_told_of_is_encoded_itself(tmp_path: Path, change: str) -> None:
    """An engine may change its frames at the end, or say another rate: the clip is what counts."""
    told = moving_square(9, 64, 48)
    other = Clip(frames=told[::-1].copy() if change == "frames" else told, fps=12.0)
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(told, 12.0 if change == "frames" else 16.0)
        writer.take(9, there)
        writer.write(other, RECIPE)
    assert (tmp_path / "a.mp4").read_bytes() == unstreamed(tmp_path / "b.mp4", other)


def test_a_second_beginning_is_another_clip(tmp_path: Path) -> None:
    """What came of a first try is in no file."""
    first, second = moving_square(9, 64, 48)[::-1].copy(), moving_square(9, 64, 48)
    clip = Clip(frames=second, fps=16.0)
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(first, 16.0)
        writer.take(5, there)
        writer.begin(second, 16.0)
        writer.take(9, there)
        writer.write(clip, RECIPE)
    assert (tmp_path / "a.mp4").read_bytes() == unstreamed(tmp_path / "b.mp4", clip)


def test_who_tells_waits_neither_for_the_device_nor_for_the_encoder(tmp_path: Path) -> None:
    """Frames may be told of before they are there; they are encoded when they have come."""
    frames = np.zeros((5, 48, 64, 3), np.uint8)
    arrived, asked = threading.Event(), threading.Event()

    def fetch() -> None:
        asked.set()
        assert arrived.wait(60)
        frames[:] = moving_square(5, 64, 48)

    clip = Clip(frames=frames, fps=16.0)
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(frames, 16.0)
        writer.take(1, fetch)
        writer.take(4, there)
        assert asked.wait(60)
        arrived.set()
        writer.write(clip, RECIPE)
    assert (tmp_path / "a.mp4").read_bytes() == unstreamed(tmp_path / "b.mp4", clip)


def tell_for_a_minute(writer: ClipWriter) -> None:
    """Go on with frames that are none."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        writer.take(0, there)
        time.sleep(0.01)


def failing(error: Exception) -> Callable[[], None]:
    """Return what waits for frames that never come."""

    def fetch() -> None:
        raise error

    return fetch


def test_the_first_error_is_told_at_the_end(tmp_path: Path) -> None:
    """What comes after it is not encoded, and there is no file."""
    frames = moving_square(9, 64, 48)
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(frames, 16.0)
        writer.take(1, there)
        writer.take(4, failing(GenerationError("frame 3 has values that are not numbers")))
        with pytest.raises(GenerationError, match="frame 3"):  # noqa: PT012 - whichever sees it
            writer.take(4, failing(GenerationError("later")))
            writer.write(Clip(frames=frames, fps=16.0), RECIPE)
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_told_as_soon_as_it_is_known(tmp_path: Path) -> None:
    """Who decodes need not go on to the end."""
    frames = np.zeros((9, 47, 64, 3), np.uint8)
    encoded = threading.Event()
    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(frames, 16.0)
        # An mp4 has no odd height.
        writer.take(1, encoded.set)
        assert encoded.wait(60)
        with pytest.raises(ProcessingError, match="even"):
            tell_for_a_minute(writer)
    assert list(tmp_path.iterdir()) == []


def test_what_is_dropped_is_let_go_of(tmp_path: Path) -> None:
    """Frames that wait are not encoded, and the thread ends though the clip never did."""
    frames = moving_square(9, 64, 48)
    late: list[int] = []
    arrived, asked = threading.Event(), threading.Event()

    def fetch() -> None:
        asked.set()
        assert arrived.wait(60)

    with ClipWriter(tmp_path / "a.mp4") as writer:
        writer.begin(frames, 16.0)
        writer.take(1, fetch)
        writer.take(4, lambda: late.append(1))
        assert asked.wait(60)
        threading.Timer(0.05, arrived.set).start()
        writer.drop()
    assert late == []
    assert list(tmp_path.iterdir()) == []
