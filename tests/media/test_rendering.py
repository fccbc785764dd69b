"""Videos look as FFmpeg shows them: colours, HDR, alpha, mirrored, turned, interlaced."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.media.colours import (
    BT470BG,
    BT709,
    BT2020,
    FULL,
    HLG,
    LIMITED,
    PATCHES,
    PQ,
    SMPTE170M,
    middles,
    patches,
    rendered,
    write_hdr,
    write_tagged,
)
from tests.media.files import png, write_video

from tiomagic_domain.catalogue.families.doodle import DOODLE
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import MediaKind
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeClock
from tiomagic_media.decode.frames import load_video
from tiomagic_media.decode.rendering.colour import Renderer, _spare_wide, composite_on_white

VIDEO = MediaKind.VIDEO
CLOSE = 3
"""Levels of 255."""
AS_FFMPEG = "scale=flags=bicubic+accurate_rnd+full_chroma_int"
TO_BT709 = "scale=flags=bicubic:out_primaries=bt709:out_transfer=bt709"


def first_frame(reader, path: Path) -> np.ndarray:
    """Return what is read of a video's first frame."""
    return load_video(reader.read(path, VIDEO), count=1)[0]


@pytest.mark.parametrize("matrix", [BT709, BT470BG, SMPTE170M, BT2020])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"],
)
def test_colours_are_those_that_ffmpeg_shows(reader, tmp_path, matrix, colour_range, pix_fmt):
    """Each matrix, range, depth and sampling: as FFmpeg renders it, and as it was drawn."""
    path = write_tagged(
        tmp_path / "a.mkv", patches(), matrix=matrix, colour_range=colour_range, pix_fmt=pix_fmt
    )
    seen = middles(first_frame(reader, path))
    assert np.abs(seen - middles(rendered(path, AS_FFMPEG))).max() <= CLOSE
    assert np.abs(seen - np.array(PATCHES)).max() <= CLOSE


# FFmpeg's table and ours take seconds each to work out.
@pytest.mark.slow
@pytest.mark.parametrize("curve", [HLG, PQ])
def test_hdr_is_shown_on_a_usual_screen(reader, tmp_path, curve):
    """As FFmpeg brings it to BT.709; and white is white, red is red and grey has no tint."""
    path = write_hdr(tmp_path / "a.mkv", patches(), curve)
    seen = middles(first_frame(reader, path))
    assert np.abs(seen - middles(rendered(path, TO_BT709))).max() <= CLOSE
    white, black, grey, dark, red, green, blue, *_ = seen
    assert white.min() > 245
    assert black.max() < 5
    assert np.ptp(grey) <= 2
    assert np.ptp(dark) <= 2
    assert 120 < grey.mean() < 145
    for colour, channel in ((red, 0), (green, 1), (blue, 2)):
        assert colour[channel] > 215
        assert np.delete(colour, channel).max() < 80


@pytest.mark.slow
def test_the_table_of_hdr_is_worked_out_once_for_two_looks(reader, tmp_path):
    """An input is checked and then read for the model: the second look has the first one's table.

    Each video that is open has a table of its own.
    """
    path = write_hdr(tmp_path / "a.mkv", patches(), PQ)
    media = reader.read(path, VIDEO)
    (table,) = _spare_wide
    first = load_video(media, count=1)[0]
    assert list(_spare_wide) == [table]
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    one, other = Renderer(), Renderer()
    assert np.array_equal(one.rgb(frame, None), first)
    assert list(_spare_wide) == []
    assert other._choose({"dst_color_trc": 1}) is not one._choose({"dst_color_trc": 1}) is table


@pytest.mark.slow
def test_hdr_that_names_its_curve_alone_is_hdr(reader, tmp_path):
    """The other words of the description are what goes with it."""
    path = write_hdr(tmp_path / "a.mkv", patches(), PQ)
    whole = first_frame(reader, path)
    data = bytearray(path.read_bytes())
    colour = data.index(b"\x55\xb1\x81\x09")  # MatrixCoefficients of Matroska: BT.2020.
    primaries = data.index(b"\x55\xbb\x81\x09")
    data[colour + 3] = data[primaries + 3] = 2
    (tmp_path / "b.mkv").write_bytes(data)
    seen = first_frame(reader, tmp_path / "b.mkv")
    assert np.abs(seen.astype(int) - whole).max() <= CLOSE


@pytest.mark.slow
def test_a_wide_gamut_is_not_pale(reader, tmp_path):
    """BT.2020 without HDR: colours are those of the primaries, not only of the matrix."""
    path = write_tagged(tmp_path / "a.mkv", patches(), matrix=BT2020, curve=14, primaries=BT2020)
    seen = middles(first_frame(reader, path))
    assert np.abs(seen - middles(rendered(path, TO_BT709))).max() <= CLOSE
    # Grey has no primaries; a middling orange of BT.2020 is a stronger one here.
    assert np.abs(seen[2] - 128).max() <= CLOSE
    assert seen[7][2] < 40 - 5


DRAWN = np.zeros((64, 64, 4), np.uint8)
DRAWN[..., :3] = (0, 255, 0)  # Straight alpha: it is not meant to be seen.
DRAWN[16:48, 16:48] = (255, 0, 0, 255)
DRAWN[24:40, 24:40] = (0, 0, 255, 128)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "png", "rgba"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.mkv", "ffv1", "yuva444p10le"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.avi", "huffyuv", "rgb32"),
    ],
)
def test_transparent_parts_of_a_video_are_white(reader, tmp_path, name, codec, pix_fmt):
    """As in pictures, whatever hides under them; half of blue is half of blue."""
    # VP8 knows no other matrix than that of BT.601.
    matrix = BT470BG if codec == "libvpx" else BT709
    path = write_tagged(
        tmp_path / name, DRAWN, codec=codec, pix_fmt=pix_fmt, frames=3, matrix=matrix
    )
    seen = first_frame(reader, path).astype(int)
    assert np.abs(seen[4:12, 4:60] - 255).max() <= 6
    assert np.abs(seen[18:22, 20:44].mean(axis=(0, 1)) - (255, 0, 0)).max() <= 16
    assert np.abs(seen[28:36, 28:36] - (127, 127, 255)).max() <= 16


def test_mixing_with_white_is_exact():
    """Every level with every alpha, rounded to the nearest."""
    level, alpha = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    pixels = np.stack([level, level, level, alpha], axis=-1).astype(np.uint8)
    exact = np.floor((level * alpha + 255 * (255 - alpha)) / 255 + 0.5)
    assert np.array_equal(composite_on_white(pixels)[..., 0], exact)


MATRICES = {
    (1, 0, 0, 1): "",
    (-1, 0, 0, 1): "hflip",
    (1, 0, 0, -1): "vflip",
    (-1, 0, 0, -1): "hflip,vflip",
    (0, 1, 1, 0): "transpose=cclock_flip",
    (0, -1, 1, 0): "transpose=cclock",
    (0, 1, -1, 0): "transpose=clock",
    (0, -1, -1, 0): "transpose=clock_flip",
}
"""a, b, c, d of the display matrix, and the filters that ``ffmpeg`` puts in for it."""


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("scale", [1, 2])
def test_all_eight_ways_to_lie_are_heeded(reader, tmp_path, matrix, scale):
    """Turned, mirrored, and both: as FFmpeg shows them."""
    frames = [patches()] * 2
    plain = write_video(tmp_path / "plain.mp4", frames)
    data = bytearray(plain.read_bytes())
    track = data.index(b"tkhd") + 4
    start = track + 4 + (32 if data[track] else 20) + 16
    a, b, c, d = (value * scale << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "laid.mp4").write_bytes(data)
    media = reader.read(tmp_path / "laid.mp4", VIDEO)
    seen = load_video(media, count=1)[0]
    wanted = rendered(plain, ",".join(filter(None, [AS_FFMPEG, MATRICES[matrix]])))
    assert (media.height, media.width) == seen.shape[:2] == wanted.shape[:2]
    assert np.abs(middles(seen) - middles(wanted)).max() <= CLOSE


def write_interlaced(path: Path) -> Path:
    """Write a bar that moves 4 pixels from one half picture to the next."""
    with av.open(str(path), "w") as container:
        options = {"x264-params": "interlaced=1:tff=1", "flags": "+ilme+ildct"}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(8):
            pixels = np.full((96, 128, 3), 40, np.uint8)
            for half in (0, 1):
                left = 10 + 8 * index + 4 * half
                pixels[half::2, left : left + 20] = 220
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def combs(pixels: np.ndarray) -> float:
    """Return how much each row differs from the one above, where it equals the one above that."""
    grey = pixels[..., 1].astype(int)
    near = np.abs(grey[2:] - grey[1:-1])
    far = np.abs(grey[2:] - grey[:-2])
    return float(np.maximum(near - far, 0).mean())


def test_interlaced_frames_are_made_whole(reader, tmp_path):
    """No comb is left, no frame is lost, and the input says that it was done."""
    path = write_interlaced(tmp_path / "a.mp4")
    assert combs(rendered(path, AS_FFMPEG)) > 8
    media = reader.read(path, VIDEO)
    frames = load_video(media)
    assert (media.frames, media.fps) == (8, 25.0)
    assert max(combs(frame) for frame in frames) < 1
    assert any("interlaced" in note for note in media.notes)
    assert media.to_reference()["notes"] == list(media.notes)
    plain = reader.read(write_video(tmp_path / "b.mp4", [patches()] * 2), VIDEO)
    assert not plain.notes
    assert "notes" not in plain.to_reference()


def test_the_job_says_what_was_done_to_its_input(reader, tmp_path):
    """In its facts, with the name of the input."""
    arguments = {
        "prompt": "a person",
        "image": png(),
        "pose_video": write_interlaced(tmp_path / "a.mp4"),
    }
    preparation = Preparation(reader, FakeClock())
    job = preparation.prepare(Feature.POSE_GUIDANCE, DOODLE, "local", arguments).job
    assert [note[:23] for note in job.facts["input_notes"]] == ["pose_video: interlaced;"]


def test_interlaced_frames_keep_their_colours(reader, tmp_path):
    """The filter does not forget what matrix and range the file has."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "mpeg2video", rate=25, options={"flags": "+ilme+ildct", "qscale": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv422p"
        stream.bit_rate = 20_000_000
        context = stream.codec_context
        context.colorspace = BT2020
        for index in range(3):
            frame: Any = av.VideoFrame.from_ndarray(patches(), format="rgb24")
            frame = frame.reformat(format="yuv422p", dst_colorspace=BT2020)
            frame.colorspace, frame.pts, frame.time_base = BT2020, index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    media = reader.read(path, VIDEO)
    assert media.notes
    assert np.abs(middles(load_video(media)[1]) - np.array(PATCHES)).max() <= 6


def test_the_cover_of_a_sound_is_no_video(reader, tmp_path):
    """A still picture beside a sound does not play."""
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound: Any = container.add_stream("aac", rate=44100, layout="mono")
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        frame: Any = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        frame = frame.reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        container.mux(cover.encode(frame))
        tone = np.sin(np.arange(4096) / 20).astype(np.float32)[np.newaxis]
        samples: Any = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 44100, 0
        container.mux(sound.encode(samples))
        container.mux(itertools.chain(sound.encode(None), cover.encode(None)))
    with pytest.raises(ValidationError, match="a sound without pictures"):
        reader.read(path, VIDEO)
