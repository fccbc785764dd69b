"""What a file claims is compared with what there is, and with the limits, before it is believed."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.media.files import animation, grey_steps, moving_square, write_video

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media import LocalMediaReader, MediaLimits
from tiomagic_media.decode.frames import load_video
from tiomagic_media.decode.structure.boxes import ClaimError, check_tables
from tiomagic_media.decode.timing import MAX_FRAMES, timeline
from tiomagic_media.decode.videos import FrameClock
from tiomagic_media.encode.mp4 import read_embedded_recipe

VIDEO = MediaKind.VIDEO


@pytest.fixture
def uneven(tmp_path: Path) -> bytes:
    """Give an mp4 of six frames with a table of three runs: four frames, one, and one."""
    options = {"x264-params": "bframes=0"}
    path = write_video(
        tmp_path / "uneven.mp4",
        moving_square(6),
        times=[0, 125, 250, 375, 500, 750],
        options=options,
    )
    # Without the edit list, which would end the video when it should.
    return path.read_bytes().replace(b"edts", b"free")


def with_durations(data: bytes, durations: tuple[int, int, int]) -> bytes:
    """Return the mp4 with eight ticks a second, and other ticks for each run."""
    changed = bytearray(data)
    clock, table = data.index(b"mdhd"), data.index(b"stts")
    changed[clock + 16 : clock + 24] = struct.pack(">II", 8, 7)
    runs = [part for run in zip((4, 1, 1), durations, strict=True) for part in run]
    changed[table + 8 : table + 36] = struct.pack(">7I", 3, *runs)
    return bytes(changed)


def with_count(data: bytes, kind: bytes, place: int, value: int) -> bytes:
    """Return an mp4 with another number in one of its tables."""
    changed = bytearray(data)
    start = data.index(kind) + 4 + place
    changed[start : start + 4] = struct.pack(">I", value)
    return bytes(changed)


def refused(reader, data: bytes, words: str) -> ValidationError:
    """Return the error of a video that must be refused, quickly."""
    began = time.monotonic()
    with pytest.raises(ValidationError, match=words) as caught:
        reader.read(data, VIDEO)
    assert time.monotonic() - began < 60
    return caught.value


@pytest.mark.parametrize("last", [2_000, 1_200_000_000, 2**31 - 1])
def test_a_frame_that_stays_for_years_is_too_long(reader, uneven, last):
    """Nearly five years in two thousand bytes: nothing is made of it before it is refused."""
    error = refused(reader, with_durations(uneven, (1, 2, last)), "seconds or more|damaged")
    assert error.code in ("too_long", "damaged")


def test_frames_at_one_time_are_refused(reader, uneven):
    """No time passes: nothing says which is seen when."""
    refused(reader, with_durations(uneven, (0, 0, 0)), "claim the same time|damaged")


def test_a_million_frames_a_second_are_refused(reader, tmp_path):
    """A clock with 2^31 ticks a second: each frame would stay for less than a microsecond."""
    options = {"x264-params": "bframes=0"}
    data = write_video(tmp_path / "a.mp4", moving_square(6), options=options).read_bytes()
    error = refused(reader, with_count(data, b"mdhd", 12, 2**31 - 1), "frames a second")
    assert error.code == "damaged"


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_codec_that_is_not_known_is_named(reader, tmp_path, container):
    """There is a video in it, and no decoder for it."""
    data = write_video(tmp_path / "a", moving_square(3), container=container).read_bytes()
    for old, new in (
        (b"avc1", b"zzzz"),
        (b"avcC", b"zzzC"),
        (b"V_MPEG4/ISO/AVC", b"V_WHATEVER_12X3"),
    ):
        data = data.replace(old, new)
    assert refused(reader, data, "coded in a way that is not known").code == "unknown_codec"


@pytest.mark.parametrize(
    ("kind", "place"), [(b"stsz", 8), (b"stts", 8), (b"stts", 4)], ids=["sizes", "run", "runs"]
)
def test_a_table_of_millions_is_refused(tmp_path, kind, place):
    """FFmpeg would make an entry for each sample before it reads one."""
    path = write_video(tmp_path / "a.mp4", moving_square(3))
    check_tables(path)
    path.write_bytes(with_count(path.read_bytes(), kind, place, 2_000_000_000))
    if (kind, place) == (b"stts", 4):
        check_tables(path)  # Runs that are not there are not read either.
        return
    with pytest.raises(ClaimError, match="samples"):
        check_tables(path)
    with pytest.raises(ValidationError, match="claims to have more than"):
        LocalMediaReader(tmp_path / "inputs").read(path, VIDEO)


def test_a_recipe_is_not_looked_for_behind_such_a_table(tmp_path):
    """Wherever an mp4 is opened, its claims are looked at first."""
    path = write_video(tmp_path / "a.mp4", moving_square(3))
    path.write_bytes(with_count(path.read_bytes(), b"stsz", 8, 2_000_000_000))
    with pytest.raises(ValidationError, match="is not a video"):
        read_embedded_recipe(path)


def test_a_fragment_of_millions_is_refused(reader, tmp_path):
    """The tables of a fragmented mp4 take no room where all samples are alike."""
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = write_video(tmp_path / "a.mp4", moving_square(3), container_options=options)
    assert reader.read(path, VIDEO).frames == 3
    refused(reader, with_count(path.read_bytes(), b"trun", 4, 4_000_000_000), "claims to have")


def test_a_compressed_index_is_refused(reader, tmp_path):
    """A box in a box, whose claims cannot be seen from outside."""
    path = write_video(tmp_path / "a.mp4", moving_square(3))
    refused(reader, path.read_bytes().replace(b"mvhd", b"cmov"), "index is compressed|damaged")


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0moov", b"\0\0\0\x01moov" + b"\xff" * 8])
def test_boxes_without_an_end_are_looked_at_once(tmp_path, data):
    """Sizes of 0, of 1 without more, and of more than there is."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x08ftyp" + data * 3)
    check_tables(path)


def test_a_frame_larger_than_its_header_says_is_not_decoded(reader, tmp_path):
    """The size in the container is 64x48; the stream's own is far beyond what is read."""
    small = write_video(
        tmp_path / "a.mkv",
        moving_square(2),
        container="matroska",
        codec="mjpeg",
        pix_fmt="yuvj420p",
    )
    data = bytearray(small.read_bytes())
    place = 0
    while (place := data.find(b"\xff\xc0\x00\x11\x08", place + 1)) > 0:
        data[place + 5 : place + 9] = struct.pack(">HH", 65_000, 65_000)
    refused(reader, bytes(data), "damaged|no frames|pixels")


def test_decoding_ends_in_time(inputs, tmp_path):
    """Whatever a file is, looking through it has an end."""
    path = write_video(tmp_path / "a.mp4", moving_square(20))
    reader = LocalMediaReader(inputs, limits=MediaLimits(decode_seconds=0.0))
    assert refused(reader, path.read_bytes(), "takes longer than").code == "too_slow"
    moving = animation(tmp_path / "a.gif", [0, 100, 200], 100)
    assert refused(reader, moving.read_bytes(), "takes longer than").code == "too_slow"


def test_a_grid_is_never_larger_than_allowed():
    """Years in two frames, and a close pair in years, make no list of thousands of millions."""
    for starts, last in (([0.0, 0.1], 1e9), ([0.0, 0.001, 1e9], 0.1), ([0.0] * 3 + [1e12], 0.0)):
        for declared in (None, 25):
            line = timeline(starts, last, declared)
            assert len(line.picks) <= MAX_FRAMES
            assert line.fps > 0
    assert len(timeline([0.0, 0.001, 100.0], 0.1, most=50).picks) <= 50


def recording(fps: int, seconds: int, pairs: list[int]) -> list[int]:
    """Return times in milliseconds; the frames in ``pairs`` come 2 ms after the one before."""
    times = [round(1000 * index / fps) for index in range(fps * seconds)]
    for index in pairs:
        times[index] = times[index - 1] + 2
    return times


@pytest.mark.parametrize("pairs", [[20], [5, 50, 51], list(range(7, 700, 20))])
def test_frames_that_stand_close_change_nothing_of_the_rest(inputs, tmp_path, pairs):
    """Thirty a second stay thirty a second, and within limits that the file keeps."""
    times = recording(30, 25, pairs)
    path = write_video(
        tmp_path / "a.mkv", grey_steps(len(times)) * 0, container="matroska", times=times
    )
    limits = MediaLimits(video_frames=len(times))
    media = LocalMediaReader(inputs, limits=limits).read(path, VIDEO)
    assert media.fps == pytest.approx(30, rel=0.02)
    assert media.frames == pytest.approx(len(times), rel=0.02)
    assert media.frames <= len(times)
    assert len(load_video(media)) == media.frames


def test_a_short_recording_loses_no_frame(reader, tmp_path):
    """Where there are few, each gap counts."""
    times = [0, 500, 583, 1083, 1583]
    path = write_video(tmp_path / "a.mkv", grey_steps(5, 32), container="matroska", times=times)
    levels = load_video(reader.read(path, VIDEO)).mean(axis=(1, 2, 3))
    assert set(((levels - 20) / 8).round().astype(int).tolist()) == {0, 1, 2, 3, 4}


def test_limits_are_for_what_the_file_holds(inputs, tmp_path):
    """A slow animation with one quick frame is taken, on a coarser grid that keeps the time."""
    path = animation(tmp_path / "a.gif", list(range(0, 200, 5)), [20, *[1000] * 39])
    reader = LocalMediaReader(inputs, limits=MediaLimits(video_frames=100))
    media = reader.read(path, VIDEO)
    assert media.frames == 100
    assert media.frames / media.fps == pytest.approx(39.02, rel=0.01)
    assert len(load_video(media)) == 100


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("a.mkv", "matroska", "libx264"),
        ("a.webm", "webm", "libvpx-vp9"),
        ("a.mp4", "mp4", "libx264"),
        ("a.mov", "mov", "libx264"),
        ("a.ts", "mpegts", "libx264"),
        ("a.flv", "flv", "flv1"),
    ],
)
@pytest.mark.parametrize("late", [5_000, 600_000])
def test_a_recording_that_starts_late_is_whole(reader, tmp_path, name, container, codec, late):
    """Durations count from zero in one container, from the first frame in another."""
    times = [late + 40 * index for index in range(10)]
    path = write_video(
        tmp_path / name, grey_steps(10, 32), container=container, codec=codec, times=times
    )
    media = reader.read(path, VIDEO)
    assert (media.frames, media.fps) == (10, pytest.approx(25, rel=0.02))
    levels = load_video(media).mean(axis=(1, 2, 3))
    assert np.abs(levels - (20 + 8 * np.arange(10))).max() < 4


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_a_recording_that_starts_late_may_still_be_cut_off(reader, tmp_path, container):
    """Twenty seconds of which the half is missing."""
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3)).astype(np.uint8)
    times = [5_000 + 400 * index for index in range(50)]
    path = write_video(tmp_path / "a", noise, container=container, times=times)
    data = path.read_bytes()
    refused(reader, data[: len(data) // 2], "cut off|damaged")


def test_times_that_begin_anew_go_on():
    """Two recordings one after the other, and frames without times, play on."""
    clock = FrameClock(gap=0.1)
    times = [5.0, 5.1, 5.2, 0.0, 0.1, None, None, 0.4]
    assert [clock.start(time) for time in times] == pytest.approx(
        [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    )


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"8BPS\0\1" + bytes(60), "Photoshop"),
        (b"icns\0\0\0\x20" + bytes(60), "ICNS"),
        (b"\0\0\1\0\1\0" + bytes(60), "ICO"),
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000"),
    ],
)
@pytest.mark.parametrize("kind", list(MediaKind))
def test_formats_that_are_not_read_are_named(reader, head, words, kind):
    """What is not read is not decoded either, and is called by its name."""
    with pytest.raises(ValidationError, match=words):
        reader.read(head, kind)


def test_a_picture_that_claims_more_than_there_is_takes_little(reader, tmp_path):
    """Nine thousand pixels square in two thousand bytes: refused, and nothing of it is kept."""
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64), "red").save(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 9_000, 9_000)
    with pytest.raises(ValidationError, match=r"more than its .* bytes can hold"):
        reader.read(bytes(data), MediaKind.IMAGE)
