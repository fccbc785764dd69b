"""Videos that are given as their frames, and files that are given as addresses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.media.files import moving_square, png, write_video

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media import LocalMediaReader, MediaLimits
from tiomagic_media.decode.frames import load_video

IMAGE, VIDEO = MediaKind.IMAGE, MediaKind.VIDEO
FRAMES = moving_square(12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of twelve frames, numbered from 1 without leading zeros, and other things."""
    place = tmp_path / "shot 7"
    place.mkdir()
    for index, frame in enumerate(FRAMES, 1):
        Image.fromarray(frame).save(place / f"frame{index}.png")
    (place / "notes.txt").write_text("retake")
    (place / ".hidden.png").write_bytes(b"")
    (place / "more").mkdir()
    return place


def as_bytes(frame: np.ndarray) -> bytes:
    """Return a frame as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG")
    return buffer.getvalue()


def ways(folder: Path) -> dict[str, object]:
    """Return all the ways to give the same twelve frames."""
    paths = [folder / f"frame{index}.png" for index in range(1, 13)]
    return {
        "a folder": folder,
        "the name of a folder": str(folder),
        "a file address of a folder": folder.as_uri(),
        "a pattern": str(folder / "frame%d.png"),
        "a path with a pattern": folder / "frame%d.png",
        "paths": paths,
        "names": [str(path) for path in paths],
        "addresses": [path.as_uri() for path in paths],
        "a tuple": tuple(paths),
        "bytes": [as_bytes(frame) for frame in FRAMES],
        "PIL images": [Image.fromarray(frame) for frame in FRAMES],
        "arrays": list(FRAMES),
        "one array": FRAMES,
        "mixed": [*paths[:3], *FRAMES[3:6], *map(Image.fromarray, FRAMES[6:])],
    }


def test_every_way_to_give_the_same_frames_is_the_same_video(reader, folder):
    """To the last bit: the frames, and the hash by which a rerun finds them."""
    media = {name: reader.read(source, VIDEO) for name, source in ways(folder).items()}
    assert len({item.sha256 for item in media.values()}) == 1
    one = media["a folder"]
    assert (one.frames, one.fps, one.width, one.height) == (12, 24.0, 64, 48)
    assert np.array_equal(load_video(one), FRAMES)
    assert reader.find(one.to_reference()) == one


def test_a_pattern_with_zeros_takes_its_own_files_alone(reader, tmp_path):
    """``%04d`` has four digits; it begins at any number."""
    for number in (98, 99, 100):
        (tmp_path / f"f_{number:04d}.png").write_bytes(png(colour=(number, 0, 0)))
        (tmp_path / f"f_{number}.png").write_bytes(png(colour="white"))
    media = reader.read(str(tmp_path / "f_%04d.png"), VIDEO)
    assert load_video(media)[:, 0, 0, 0].tolist() == [98, 99, 100]


def test_transparent_frames_lie_on_white(reader):
    """As pictures do."""
    clear = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    assert load_video(reader.read([clear, clear], VIDEO)).min() == 255


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([png(32, 24), png(16, 24)], "frame 1 is 16x24, and the first is 32x24"),
        ([png(), b"text"], "frame 1: this is not a picture"),
        ([png(), png()[:60]], "frame 1: this is not a picture, or a damaged one"),
        ([png(), "nowhere.png"], "frame 1: there is no file"),
        ([png(), None], "frame 1: something of type NoneType"),
        ([np.zeros((4, 4, 3))], "frame 0: an array of float64"),
        ([np.zeros((4, 4, 7), np.uint8)], "frame 0: an array of uint8"),
        ([], "no frames"),
        (np.zeros((0, 4, 4, 3), np.uint8), "no frames"),
    ],
    ids=str,
)
def test_frames_that_make_no_video_are_refused(reader, frames, words):
    """The message says which frame, and why."""
    with pytest.raises(ValidationError, match=words):
        reader.read(frames, VIDEO)


def test_a_frame_that_is_missing_is_named(reader, folder):
    """FFmpeg would end the video there without a word."""
    (folder / "frame5.png").unlink()
    with pytest.raises(ValidationError, match=r"'frame5\.png' is missing between 'frame4\.png'"):
        reader.read(str(folder / "frame%d.png"), VIDEO)


def test_a_pattern_that_stands_for_nothing_is_refused(reader, folder):
    """With the name that was looked for."""
    with pytest.raises(ValidationError, match=r"such as shot_0001\.png"):
        reader.read(str(folder / "shot_%04d.png"), VIDEO)
    with pytest.raises(ValidationError, match="such as"):
        reader.read(str(folder / "no" / "shot_%04d.png"), VIDEO)


def test_a_folder_without_pictures_is_refused(reader, tmp_path):
    """As a video it has no frames; as a picture it is a folder."""
    with pytest.raises(ValidationError, match="has no pictures in it"):
        reader.read(tmp_path, VIDEO)
    with pytest.raises(ValidationError, match="is a folder"):
        reader.read(tmp_path, IMAGE)


def test_a_name_with_a_percent_sign_is_a_name(reader, tmp_path):
    """A file that is called like a pattern is that file."""
    path = write_video(tmp_path / "100%d.mp4", moving_square(3))
    assert reader.read(path, VIDEO).frames == 3


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (MediaLimits(video_frames=11), "12 frames in it; at most 11"),
        (MediaLimits(video_pixels=64 * 48 - 1), "pixels"),
        (MediaLimits(bytes=600), "take more than 600 bytes|larger than 600 bytes"),
    ],
)
def test_sequences_are_bounded(inputs, folder, limits, words):
    """By number, size and bytes."""
    with pytest.raises(ValidationError, match=words):
        LocalMediaReader(inputs, limits=limits).read(folder, VIDEO)


@pytest.mark.parametrize("name", ["cat.png", "a cat.png", "Ä%41#1?.png"])
def test_a_file_address_is_a_path(reader, tmp_path, name):
    """As a browser or a file manager gives it."""
    path = tmp_path / name
    path.write_bytes(png())
    addresses = [path.as_uri(), path.as_uri().replace("file://", "FILE://localhost")]
    for address in addresses:
        assert reader.read(address, IMAGE).name == name


def test_a_file_address_of_another_machine_is_refused(reader):
    """Nothing is asked of it."""
    with pytest.raises(ValidationError, match="names the machine 'server'"):
        reader.read("file://server/share/cat.png", IMAGE)
