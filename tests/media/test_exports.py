"""A video as files for other programs: each is read again and compared with its source."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, ValidationError
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.exports import export_film
from tiomagic_media.pictures.film import Film, read_film


def make_film(count: int = 17, fps: Fraction = Fraction(16)) -> Film:
    """A red square that moves over a colour ramp."""
    height, width = 48, 80
    y, x = np.mgrid[:height, :width]
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[..., 0], frames[..., 1], frames[..., 2] = x * 255 // width, y * 255 // height, 120
    for index in range(count):
        frames[index, 15:30, 2 + index : 17 + index] = (220, 30, 40)
    return Film(frames=frames, fps=fps)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(float) - b) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@pytest.fixture
def film() -> Film:
    return make_film()


def test_lossless_means_every_bit(film, tmp_path):
    """An .mkv has exactly the frames of the source, at its rate."""
    again = read_film(export_film(film, tmp_path / "clip.mkv"))
    assert again.fps == film.fps
    np.testing.assert_array_equal(again.frames, film.frames)


def test_prores_keeps_colours_and_rate(film, tmp_path):
    """A .mov is ProRes 422 HQ in 10 bits, and its colours are those of the source."""
    path = export_film(film, tmp_path / "clip.mov")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("prores", "yuv422p10le")
        assert stream.average_rate == 16
        assert stream.codec_context.codec_tag == "apch"
    assert psnr(read_film(path).frames, film.frames) > 33


@pytest.mark.parametrize("colour", [(220, 30, 40), (20, 200, 60), (30, 60, 220), (255, 255, 255)])
def test_prores_has_the_right_colours(colour, tmp_path):
    """Flat colours come back to within two levels: the matrix that is written is the one named."""
    frames = np.broadcast_to(np.array(colour, np.uint8), (2, 720, 64, 3))
    film = Film(frames=np.ascontiguousarray(frames), fps=Fraction(16))
    again = read_film(export_film(film, tmp_path / "flat.mov")).frames
    assert np.abs(again.astype(int) - frames).max() <= 2


@pytest.mark.parametrize("ending", ["gif", "webp"])
@pytest.mark.parametrize("fps", [Fraction(16), Fraction(24), Fraction(30000, 1001)])
def test_an_animated_picture_plays_as_long_as_the_video(ending, fps, tmp_path):
    """Frame times are rounded each by itself: the errors do not add up over a clip."""
    film = make_film(count=40, fps=fps)
    with Image.open(export_film(film, tmp_path / f"clip.{ending}")) as picture:
        assert picture.n_frames == len(film.frames)
        assert picture.info["loop"] == 0
        times = []
        for index in range(picture.n_frames):
            picture.seek(index)
            picture.load()
            times.append(picture.info["duration"])
    step = 10 if ending == "gif" else 1
    assert abs(sum(times) - 1000 * film.seconds) <= step
    assert max(times) - min(times) <= step


@pytest.mark.parametrize(("ending", "least"), [("gif", 24), ("webp", 29)])
def test_an_animated_picture_looks_like_the_video(film, ending, least, tmp_path):
    """The palette of a GIF is made for the clip; WebP keeps all colours."""
    with Image.open(export_film(film, tmp_path / f"clip.{ending}")) as picture:
        frames = []
        for index in range(picture.n_frames):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
    assert psnr(np.stack(frames), film.frames) > least


def test_one_frame_for_an_animated_picture(tmp_path):
    """A film of one frame is no special case."""
    film = make_film(count=1)
    for ending in ("gif", "webp", "mkv", "mov"):
        assert len(read_film(export_film(film, tmp_path / f"one.{ending}")).frames) == 1


def test_the_last_frame_to_go_on_from(film, tmp_path):
    """A .png is the last frame unless another is asked for, bit for bit."""
    last = np.asarray(Image.open(export_film(film, tmp_path / "last.png")))
    np.testing.assert_array_equal(last, film.frames[-1])
    first = np.asarray(Image.open(export_film(film, tmp_path / "poster.png", frame=0)))
    np.testing.assert_array_equal(first, film.frames[0])


def test_numbered_frames_sort_and_have_no_alpha(film, tmp_path):
    """A folder has every frame, numbered from 1 with leading zeros, in plain RGB."""
    folder = export_film(film, tmp_path / "walk")
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "walk_0001.png"
    assert len(names) == 17
    for index, name in enumerate(names):
        with Image.open(folder / name) as image:
            assert image.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(image), film.frames[index])


def test_a_folder_with_something_in_it_is_left_alone(film, tmp_path):
    """Two sequences never mix, and an empty folder is as good as none."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ValidationError, match="not an empty folder"):
        export_film(film, tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert len(list(export_film(film, tmp_path / "empty").iterdir())) == 17
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_another_width_keeps_the_shape(film, tmp_path):
    """Height follows width."""
    assert read_film(export_film(film, tmp_path / "small.mkv", width=40)).frames.shape[1:3] == (
        24,
        40,
    )


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("clip.avi", {}, r"as '.avi'; there are .*gif"),
        ("clip.gif", {"width": 0}, "1 pixel or more, not 0"),
        ("clip.png", {"frame": 17}, "the video has 17, 0 to 16"),
    ],
)
def test_what_cannot_be_written_says_what_can(film, name, more, message, tmp_path):
    """An error names the nearest thing that works, and leaves nothing behind."""
    with pytest.raises(ValidationError, match=message):
        export_film(film, tmp_path / name, **more)
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_when_writing_fails(film, tmp_path):
    """A file is replaced whole or not at all, and no half file stays."""
    target = tmp_path / "clip.mov"
    target.write_bytes(b"the old one")
    odd = Film(frames=film.frames[:, :, :, :1], fps=film.fps)
    with pytest.raises((ProcessingError, ValueError)):
        export_film(odd, target)
    assert target.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mov"]


def test_a_video_of_ours_is_read_back(film, tmp_path):
    """An mp4 that we wrote gives its frames and its exact rate."""
    write_mp4(tmp_path / "clip.mp4", film.frames, fps=Fraction(16), recipe={})
    again = read_film(tmp_path / "clip.mp4")
    assert again.fps == 16
    assert again.seconds == pytest.approx(17 / 16)
    assert psnr(again.frames, film.frames) > 30


def test_what_is_no_video_is_named(tmp_path):
    """A missing file and a text file are two different errors."""
    with pytest.raises(ResourceNotFoundError, match=r"gone\.mp4"):
        read_film(tmp_path / "gone.mp4")
    (tmp_path / "notes.mp4").write_text("not a video")
    with pytest.raises(ValidationError, match=r"notes\.mp4"):
        read_film(tmp_path / "notes.mp4")
