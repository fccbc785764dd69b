"""The mp4 that a person gets."""

from __future__ import annotations

import hashlib
import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.media.conftest import as_media
from tests.media.files import RECIPE, moving_square, png, write_video

from tiomagic_domain.errors import (
    GenerationError,
    ProcessingError,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_media.decode.frames import load_video
from tiomagic_media.encode.mp4 import read_embedded_recipe, to_uint8, write_mp4

FLATS = np.array(
    [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
        (255, 0, 255),
        (0, 0, 0),
        (255, 255, 255),
        (128, 128, 128),
        (200, 120, 40),
    ],
    dtype=np.uint8,
)


def _boxes(data: bytes) -> list[str]:
    names, position = [], 0
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        names.append(name.decode("latin-1"))
        position += size
    return names


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (2, 3, 2, 3),
        elements=st.floats(-2, 3, width=32, allow_nan=False),
    )
)
def test_floats_are_rounded_and_clipped(frames):
    """Each value becomes the nearest of 256 levels; what is outside of 0-1 becomes its end."""
    expected = [
        [min(255, max(0, int(Fraction(float(v)) * 255 + Fraction(1, 2)))) if v > 0 else 0]
        for v in frames.ravel()
    ]
    assert to_uint8(frames).ravel().tolist() == [level for (level,) in expected]


@given(st.integers(0, 255))
def test_every_level_survives_the_way_through_floats(level):
    """A level divided by 255 comes back as itself: nothing is cut off downwards."""
    assert to_uint8(np.full((1, 1, 1, 3), level / 255, dtype=np.float32)).max() == level


def test_half_floats_are_rounded_as_well():
    """Float16 has too few digits to be multiplied by 255 in place."""
    frames = np.linspace(0, 1, 256, dtype=np.float16).reshape(1, 16, 16, 1).repeat(3, axis=3)
    expected = np.floor(frames.astype(np.float64) * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(to_uint8(frames), expected)


def test_bytes_are_not_copied():
    """Frames that are right already are the same array."""
    frames = moving_square(2)
    assert to_uint8(frames) is frames


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_an_error(value):
    """A broken model gives an error that names the frame, and not a black video."""
    frames = np.zeros((3, 2, 2, 3), dtype=np.float32)
    frames[1, 0, 1, 2] = value
    with pytest.raises(GenerationError, match="frame 1") as caught:
        to_uint8(frames)
    assert caught.value.code == "not_finite"


def test_integers_of_another_size_are_refused():
    """Nobody knows what 300 means."""
    with pytest.raises(ProcessingError, match="int64"):
        to_uint8(np.zeros((1, 2, 2, 3), dtype=np.int64))


@pytest.mark.parametrize(("width", "height"), [(16, 16), (64, 48), (160, 90)])
def test_what_is_written_is_what_was_meant(tmp_path: Path, width, height):
    """Size, frames, rate, codec, pixel format and colour tags are right."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(9, width, height), fps=16, recipe=RECIPE)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [frame.pts * frame.time_base for frame in container.decode(stream)]
        context = stream.codec_context
        assert (context.width, context.height) == (width, height)
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_range) == (1, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)
        assert stream.average_rate == 16
        assert stream.frames == 9
        assert stream.duration * stream.time_base == Fraction(9, 16)
    assert times == [Fraction(index, 16) for index in range(9)]


@pytest.mark.parametrize("fps", [24, 8.0, Fraction(24000, 1001), 12.5, 60])
def test_the_rate_is_exact(tmp_path: Path, fps):
    """Rates are fractions: film's 24000/1001 is not 23.98."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(6), fps=fps, recipe=RECIPE)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(fps)
        assert sum(1 for _ in container.decode(stream)) == 6


@pytest.mark.parametrize("count", [1, 2, 81])
def test_no_frame_is_lost_or_added(tmp_path: Path, count):
    """The encoder's look-ahead gives every frame back, also the only one."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(count), fps=16, recipe=RECIPE)
    assert len(load_video(as_media(path))) == count


def test_colours_come_back(tmp_path: Path):
    """Saturated flats are within two levels after encoding and decoding."""
    frames = np.broadcast_to(FLATS[:, None, None], (len(FLATS), 32, 32, 3))
    path = tmp_path / "a.mp4"
    write_mp4(path, frames, fps=8, recipe=RECIPE)
    back = load_video(as_media(path)).astype(int)
    assert np.abs(back - frames).max() <= 2


def test_drawings_stay_sharp(tmp_path: Path):
    """Of an animated clip with edges, the signal is at least 36 dB over the error."""
    frames = moving_square(12, 160, 96)
    path = tmp_path / "a.mp4"
    write_mp4(path, frames, fps=12, recipe=RECIPE)
    error = (load_video(as_media(path)).astype(float) - frames) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 36


def test_the_index_comes_first(tmp_path: Path):
    """A browser can play before it has the whole file."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(4), fps=8, recipe=RECIPE)
    boxes = _boxes(path.read_bytes())
    assert boxes.index("moov") < boxes.index("mdat")


def test_the_same_frames_give_the_same_file(tmp_path: Path):
    """The same video twice, once as an array and once frame by frame, is the same bytes."""
    frames = moving_square(40, 128, 128)
    digests = set()
    for index, given_as in enumerate((frames, iter(frames), (f / 255 for f in frames))):
        path = tmp_path / f"{index}.mp4"
        write_mp4(path, given_as, fps=16, recipe=RECIPE)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_part_of_the_encoder_that_does_not_repeat_is_off(tmp_path: Path):
    """Seen in what the encoder says of itself in the file: one encoding in a hundred differed."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(4), fps=8, recipe=RECIPE)
    assert b" mbtree=0 " in path.read_bytes()


def test_frames_are_taken_one_at_a_time(tmp_path: Path):
    """While the encoder works, no frame is asked for ahead of time."""
    alive: list[int] = []

    def frames():
        for index in range(100):
            alive.append(index)
            yield moving_square(1)[0]
            if index == 50:
                raise GenerationError("stopped")

    with pytest.raises(GenerationError, match="stopped"):
        write_mp4(tmp_path / "a.mp4", frames(), fps=8, recipe=RECIPE)
    assert alive[-1] == 50
    assert list(tmp_path.iterdir()) == []


def test_a_long_recipe_in_any_script_survives(tmp_path: Path):
    """20 KB of text in several scripts come back as they were."""
    recipe = {**RECIPE, "required_args": {"prompt": 'Ein Kätzchen 猫 🎬 \n\t"=;#\\ ' * 800}}
    assert len(json.dumps(recipe, ensure_ascii=False).encode()) > 20_000
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(2), fps=8, recipe=recipe)
    assert read_embedded_recipe(path) == recipe


def test_a_recipe_is_found_in_the_comment_as_well(tmp_path: Path):
    """Programs that rewrite a file keep the comment and drop what they do not know."""
    path, copy = tmp_path / "a.mp4", tmp_path / "b.mp4"
    write_mp4(path, moving_square(2), fps=8, recipe=RECIPE)
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        target.metadata["comment"] = source.metadata["comment"]
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with av.open(str(copy)) as container:
        assert "tiomagic" not in container.metadata
    assert read_embedded_recipe(copy) == RECIPE


def test_a_video_without_a_recipe_says_so(tmp_path: Path):
    """A film from elsewhere has no recipe."""
    path = write_video(tmp_path / "a.mp4", moving_square(2))
    with pytest.raises(ValidationError, match="no recipe"):
        read_embedded_recipe(path)


def test_a_comment_of_somebody_else_is_no_recipe(tmp_path: Path):
    """JSON in the comment is not enough."""
    path = tmp_path / "a.mp4"
    write_mp4(path, moving_square(2), fps=8, recipe={"made": "elsewhere"})
    with pytest.raises(ValidationError, match="no recipe of tiomagic"):
        read_embedded_recipe(path)


def test_something_that_is_no_video_has_no_recipe(tmp_path: Path):
    """A picture is named as what it is not."""
    path = tmp_path / "a.png"
    path.write_bytes(png())
    with pytest.raises(ValidationError, match="is not a video"):
        read_embedded_recipe(path)


def test_a_missing_file_has_no_recipe(tmp_path: Path):
    """A path that is not there is not found."""
    with pytest.raises(ResourceNotFoundError):
        read_embedded_recipe(tmp_path / "a.mp4")


@pytest.mark.parametrize("shape", [(2, 15, 16, 3), (2, 16, 15, 3), (2, 16, 16, 4), (2, 16, 16)])
def test_sizes_that_the_format_lacks_are_refused(tmp_path: Path, shape):
    """Odd sizes and other channels are errors, not something that is cropped in silence."""
    with pytest.raises(ProcessingError):
        write_mp4(tmp_path / "a.mp4", np.zeros(shape, dtype=np.uint8), fps=8, recipe=RECIPE)
    assert list(tmp_path.iterdir()) == []


def test_frames_of_different_sizes_are_refused(tmp_path: Path):
    """A size that changes half-way is an error."""
    frames = [np.zeros((16, 16, 3), np.uint8), np.zeros((32, 16, 3), np.uint8)]
    with pytest.raises(ProcessingError, match="frame 1"):
        write_mp4(tmp_path / "a.mp4", frames, fps=8, recipe=RECIPE)


def test_no_frames_are_an_error(tmp_path: Path):
    """A video of nothing is not written."""
    with pytest.raises(GenerationError, match="no frames"):
        write_mp4(tmp_path / "a.mp4", [], fps=8, recipe=RECIPE)


def test_a_broken_frame_is_named_and_nothing_is_left(tmp_path: Path):
    """NaN in the third frame: the old file stays, no new one is begun."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    frames = np.zeros((4, 16, 16, 3), dtype=np.float32)
    frames[2] = np.nan
    with pytest.raises(GenerationError, match="frame 2"):
        write_mp4(path, frames, fps=8, recipe=RECIPE)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    """The operating system's words are passed on."""
    with pytest.raises(ProcessingError, match="cannot be written"):
        write_mp4(tmp_path / "no" / "a.mp4", moving_square(2), fps=8, recipe=RECIPE)


@pytest.mark.parametrize("room", [0, 4096, 40_000])
def test_a_full_disk_is_an_error(tmp_path: Path, room):
    """However early the disk is full, the error is ours and the old video stays."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    noise = np.random.default_rng(0).integers(0, 255, (12, 96, 96, 3)).astype(np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(ProcessingError, match="cannot be written"):
            write_mp4(path, noise, fps=8, recipe=RECIPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_old_file_is_replaced(tmp_path: Path):
    """Writing to the same name again gives the new video."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    write_mp4(path, moving_square(3), fps=8, recipe=RECIPE)
    assert len(load_video(as_media(path))) == 3
