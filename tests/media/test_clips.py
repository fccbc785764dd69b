"""Videos of every make: which frames, how fast, and whether they are whole."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from hypothesis import example, given
from hypothesis import strategies as st
from tests.media.files import animation, grey_steps, moving_square, write_video

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media import LocalMediaReader, MediaLimits
from tiomagic_media.decode.frames import load_video
from tiomagic_media.decode.timing import timeline

VIDEO = MediaKind.VIDEO


def refused(reader, source, words: str) -> ValidationError:
    """Return the error of a video that must be refused."""
    with pytest.raises(ValidationError, match=words) as caught:
        reader.read(source, VIDEO)
    return caught.value


@pytest.mark.parametrize(
    ("container", "codec", "media_type", "ending"),
    [
        ("mp4", "libx264", "video/mp4", ".mp4"),
        ("mov", "libx264", "video/quicktime", ".mov"),
        ("matroska", "libx264", "video/x-matroska", ".mkv"),
        ("webm", "libvpx-vp9", "video/webm", ".webm"),
        ("avi", "mpeg4", "video/x-msvideo", ".avi"),
        ("mpegts", "libx264", "video/mp2t", ".ts"),
        ("flv", "flv1", "video/x-flv", ".flv"),
    ],
)
def test_every_container_is_read(reader, tmp_path, container, codec, media_type, ending):
    """Type, size, frames and rate are true, whatever the file is called."""
    path = tmp_path / "film"
    write_video(path, grey_steps(12, 32), container=container, codec=codec, fps=12)
    media = reader.read(path, VIDEO)
    assert (media.media_type, media.path.suffix) == (media_type, ending)
    assert (media.width, media.height, media.frames) == (32, 32, 12)
    assert media.fps == pytest.approx(12, rel=0.01)
    levels = load_video(media).mean(axis=(1, 2, 3))
    assert np.abs(levels - (20 + 8 * np.arange(12))).max() < 4


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": "bframes=3:b-adapt=0:scenecut=0:weightb=0"}),
        ("mpeg4", {"bf": "3", "b_strategy": "0", "b": "4000000"}),
    ],
)
def test_an_avi_keeps_its_frames_whatever_their_order_in_it(reader, tmp_path, codec, options):
    """The times of an AVI are those of decoding: frames that lean on later ones are not late."""
    path = tmp_path / "film.avi"
    write_video(path, grey_steps(24, 32), container="avi", codec=codec, fps=12, options=options)
    media = reader.read(path, VIDEO)
    with av.open(str(path)) as written:
        assert any(frame.pict_type == PictureType.B for frame in written.decode(video=0))
    assert (media.frames, media.fps) == (24, 12)
    levels = load_video(media).mean(axis=(1, 2, 3))
    assert np.abs(levels - (20 + 8 * np.arange(24))).max() < 4


def test_a_transport_stream_whose_clock_runs_over_is_whole(reader, tmp_path):
    """The clock has 33 bits, at 90 kHz: FFmpeg counts what is just before its end below zero."""
    path = tmp_path / "film.ts"
    run_over = {"output_ts_offset": str(2**33 / 90_000 - 5), "muxdelay": "0"}
    write_video(path, grey_steps(24, 32), container="mpegts", fps=12, container_options=run_over)
    with av.open(str(path)) as container:
        assert container.start_time < 0
    media = reader.read(path, VIDEO)
    assert (media.frames, media.fps) == (24, 12)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_rotation_of_a_phone_is_honoured(reader, tmp_path, rotation):
    """Size and frames are upright; the display matrix turns counter-clockwise."""
    frames = moving_square(3, 64, 48)
    media = reader.read(write_video(tmp_path / "a.mp4", frames, rotation=rotation), VIDEO)
    upright = np.rot90(frames, rotation // 90, axes=(1, 2))
    assert (media.width, media.height) == (upright.shape[2], upright.shape[1])
    assert np.abs(load_video(media).astype(int) - upright).mean() < 8


def test_pixels_that_are_not_square_are_made_so(reader, tmp_path):
    """A DV film is as wide as it is shown."""
    path = write_video(tmp_path / "a.mp4", moving_square(2, 64, 48), aspect=(3, 2))
    media = reader.read(path, VIDEO)
    assert (media.width, media.height) == (96, 48)
    assert load_video(media).shape == (2, 48, 96, 3)


def test_a_recording_with_pauses_keeps_its_times(reader, tmp_path):
    """Frames that stay longer are repeated; the grid is as fine as the shortest."""
    path = tmp_path / "a.mkv"
    times = [0, 100, 200, 600, 700]
    write_video(path, grey_steps(5), container="matroska", times=times)
    media = reader.read(path, VIDEO)
    assert media.fps == pytest.approx(10, rel=0.02)
    levels = ((load_video(media).mean(axis=(1, 2, 3)) - 20) / 8).round().astype(int)
    assert levels[:8].tolist() == [0, 1, 2, 2, 2, 2, 3, 4]


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png"])
def test_animations_are_videos(reader, tmp_path, ending):
    """GIF, WebP and PNG that move give all their frames."""
    path = animation(tmp_path / f"a{ending}", [0, 80, 160, 240], 50)
    media = reader.read(path, VIDEO)
    assert (media.frames, media.fps, media.width, media.height) == (4, 20.0, 16, 12)
    assert load_video(media)[:, 0, 0, 0].tolist() == [0, 80, 160, 240]


def test_a_gif_without_times_plays_as_in_a_browser(reader, tmp_path):
    """No time given means a tenth of a second."""
    assert reader.read(animation(tmp_path / "a.gif", [0, 99], 0), VIDEO).fps == 10


@pytest.mark.parametrize("container", ["mp4", "matroska", "webm", "avi"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_video_that_is_cut_off_is_refused(reader, tmp_path, container, part, capfd):
    """Half a download is told from a whole one, and FFmpeg does not write to the terminal."""
    codec = {"webm": "libvpx-vp9", "avi": "mpeg4"}.get(container, "libx264")
    noise = np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3)).astype(np.uint8)
    path = write_video(tmp_path / "a", noise, container=container, codec=codec)
    data = path.read_bytes()
    error = refused(reader, data[: int(len(data) * part)], "cut off|damaged")
    assert error.code in ("damaged", "not_a_video")
    assert capfd.readouterr().err == ""


def test_a_video_with_no_frames_is_refused(reader, tmp_path):
    """A header that promises a film, and nothing after it."""
    path = write_video(tmp_path / "a.mkv", moving_square(1), container="matroska")
    data = path.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    refused(reader, data[:cluster], "no frames|damaged")


def test_a_video_without_a_single_frame_is_refused(reader, tmp_path):
    """An mp4 whose track is empty, as an aborted recording leaves it."""
    path = write_video(tmp_path / "a.mp4", [])
    error = refused(reader, path, "no frames|no video|without pictures|not a video|damaged")
    assert error.code in ("no_frames", "no_video", "not_a_video")


def test_a_size_that_changes_is_refused(reader, tmp_path):
    """Two films in one stream are not one film."""
    one = write_video(tmp_path / "1.ts", moving_square(5, 64, 48), container="mpegts")
    two = write_video(tmp_path / "2.ts", moving_square(5, 32, 32), container="mpegts")
    error = refused(reader, one.read_bytes() + two.read_bytes(), "cannot be used|damaged")
    assert error.code == "damaged"


def test_a_play_list_reaches_nothing(reader, tmp_path):
    """FFmpeg would open whatever a play list names."""
    inside = write_video(tmp_path / "1.ts", moving_square(5), container="mpegts")
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXTINF:1,\n{inside}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile {inside}\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        refused(reader, tmp_path / name, "not a video")


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"video_pixels": 64 * 48 - 1}, "too_large"),
        ({"video_frames": 19}, "too_long"),
        ({"video_seconds": 0.5}, "too_long"),
        ({"video_seconds": 1.5}, "too_long"),
        ({"video_total_pixels": 64 * 48 * 19}, "too_large"),
    ],
)
@pytest.mark.parametrize("kind", ["video", "animation"])
def test_videos_are_bounded(inputs, tmp_path, kind, limits, code):
    """Pixels, frames and time, for films and for animated pictures."""
    if kind == "video":
        path = write_video(tmp_path / "a.mp4", moving_square(20), fps=10)
    else:
        path = animation(tmp_path / "a.gif", list(range(0, 200, 10)), 100)
        limits = {
            name: value * 192 // 3072 if "pixels" in name else value
            for name, value in limits.items()
        }
    reader = LocalMediaReader(inputs, limits=MediaLimits(**limits))
    assert refused(reader, path, "at most|more than").code == code


def test_a_video_at_the_limits_is_read(inputs, tmp_path):
    """The limits are what is still allowed."""
    limits = MediaLimits(
        video_pixels=64 * 48, video_frames=20, video_seconds=2, video_total_pixels=64 * 48 * 20
    )
    path = write_video(tmp_path / "a.mp4", moving_square(20), fps=10)
    assert LocalMediaReader(inputs, limits=limits).read(path, VIDEO).frames == 20


def test_a_long_film_is_refused_by_its_header(inputs, tmp_path):
    """Before a frame is decoded: the header says two minutes and a half."""
    path = write_video(
        tmp_path / "a.mkv", moving_square(3), container="matroska", times=[0, 1, 150_000]
    )
    reader = LocalMediaReader(inputs)
    refused(reader, path, "150")


times_st = st.lists(st.integers(17, 500), min_size=1, max_size=30)


@given(times_st, st.integers(17, 500))
@example([215, 86], 86)  # Starts in the middle between two points of the grid.
def test_a_grid_loses_no_frame_and_keeps_the_times(gaps, last):
    """Each frame is there, in order, for its time to within one step."""
    starts = np.concatenate(([0], np.cumsum(gaps))) / 1000
    grid = timeline(starts.tolist(), last / 1000)
    assert sorted(set(grid.picks)) == list(range(len(starts)))
    assert list(grid.picks) == sorted(grid.picks)
    step = 1 / float(grid.fps)
    for index, stay in enumerate([*gaps, last]):
        assert grid.picks.count(index) * step == pytest.approx(stay / 1000, abs=1.01 * step + 0.002)


@given(st.integers(2, 200), st.sampled_from([8, 12, 24, 25, 30, 60]), st.randoms())
def test_the_jitter_of_a_clock_changes_nothing(count, fps, random):
    """A constant rate with times that are a little off keeps its frames one for one."""
    starts = [(index + random.uniform(-0.1, 0.1)) / fps for index in range(count)]
    line = timeline(starts, 1 / fps, Fraction(fps))
    assert line.picks == tuple(range(count))
    assert float(line.fps) == pytest.approx(fps, rel=0.25)


def test_the_rate_of_film_is_exact():
    """Times in whole milliseconds still mean 24000/1001 when the header says so."""
    rate = Fraction(24000, 1001)
    starts = [round(index * 1000 / rate) / 1000 for index in range(50)]
    assert timeline(starts, 0, rate).fps == rate


@pytest.mark.parametrize(
    ("last", "declared", "fps"), [(0.25, None, 4), (0.0, Fraction(24), 24), (0.0, None, 1)]
)
def test_one_frame_has_a_rate(last, declared, fps):
    """Its own time, else the header's word, else one a second."""
    line = timeline([0.0], last, declared)
    assert (line.picks, line.fps) == ((0,), fps)


@pytest.mark.parametrize("ending", ["webp", "png", "gif"])
def test_the_last_frame_of_an_animation_stays_for_its_own_time(reader, tmp_path, ending):
    """Two frames for 400 and 100 milliseconds are a picture that blinks, not an even change."""
    media = reader.read(animation(tmp_path / f"a.{ending}", [20, 220], [400, 100]), VIDEO)
    levels = load_video(media).mean(axis=(1, 2, 3)).round().tolist()
    assert (media.fps, media.frames) == (10, 5)
    assert [level > 120 for level in levels] == [False] * 4 + [True]


def test_many_short_frames_do_not_make_a_giant(reader, tmp_path):
    """A grid is never finer than 60 a second."""
    assert timeline([0.0, 0.001, 1.0], 0.001).fps <= 60
    assert sys.getsizeof(timeline([0.0, 0.001, 1.0], 0.001).picks) < 10_000


def test_a_path_to_a_film_stays_where_it_is(reader, tmp_path):
    """The user's own file is neither moved nor changed."""
    path: Path = write_video(tmp_path / "a.mp4", moving_square(2))
    before = path.read_bytes()
    assert reader.read(path, VIDEO).path != path
    assert path.read_bytes() == before
