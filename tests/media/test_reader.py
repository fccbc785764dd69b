"""The reader: everything that can be given, and everything that can be wrong with it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.media.files import (
    animation,
    moving_square,
    png,
    png_header,
    write_sound,
    write_video,
)

from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.testing.contracts.media_reader import MediaReaderContract
from tiomagic_media import LocalMediaReader, MediaLimits
from tiomagic_media.decode.frames import load_image, load_video

IMAGE, VIDEO = MediaKind.IMAGE, MediaKind.VIDEO


class TestContract(MediaReaderContract):
    """The reader is a MediaReader."""

    @pytest.fixture
    def picture(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.png"
        path.write_bytes(png())
        return path

    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        return write_video(tmp_path / "a.mp4", moving_square(5))

    @pytest.fixture
    def picture_bytes(self) -> bytes:
        return png()


def refused(reader: MediaReader, source: object, kind: MediaKind = IMAGE) -> ValidationError:
    """Return the error of an input that must be refused: one sentence without a line break."""
    with pytest.raises(ValidationError) as caught:
        reader.read(source, kind)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Give a PNG of 32x24."""
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    return path


def test_every_way_to_give_the_same_bytes_keeps_one_file(reader, picture, inputs, monkeypatch):
    """Path, Path, bytes in all their forms, file objects and data URLs are the same input."""
    monkeypatch.chdir(picture.parent)
    monkeypatch.setenv("HOME", str(picture.parent))
    data = png()
    encoded = base64.b64encode(data).decode()
    with picture.open("rb") as file:
        sources = [
            str(picture),
            picture,
            "cat.png",
            "~/cat.png",
            data,
            bytearray(data),
            memoryview(data),
            file,
            io.BytesIO(data),
            f"data:image/png;base64,{encoded}",
            f"DATA:;BASE64,{encoded.rstrip('=')}",
            "data:image/png," + "".join(f"%{byte:02x}" for byte in data),
        ]
        media = [reader.read(source, IMAGE) for source in sources]
    assert {item.sha256 for item in media} == {hashlib.sha256(data).hexdigest()}
    assert [path.name for path in inputs.iterdir()] == [f"{media[0].sha256}.png"]
    names = [item.name for item in media]
    assert names == ["cat.png"] * 4 + [None] * 3 + ["cat.png"] + [None] * 4


def test_a_file_object_is_read_from_where_it_stands(reader):
    """Bytes before the position are not part of the picture."""
    file = io.BytesIO(b"header" + png())
    file.seek(6)
    assert reader.read(file, IMAGE).read_bytes() == png()


def test_a_pil_image_is_kept_without_loss(reader):
    """What exists only in memory is kept as PNG, so that the job can be made again."""
    picture = Image.effect_noise((40, 30), 80).convert("RGB")
    media = reader.read(picture, IMAGE)
    assert (media.media_type, media.width, media.height) == ("image/png", 40, 30)
    assert load_image(media).tobytes() == picture.tobytes()
    assert reader.read(picture.copy(), IMAGE).sha256 == media.sha256


def test_the_ending_follows_the_content(reader, tmp_path):
    """A JPEG that is called .png is kept as what it is."""
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, format="JPEG")
    media = reader.read(path, IMAGE)
    assert (media.media_type, media.path.suffix, media.name) == ("image/jpeg", ".jpg", "a.png")


def test_a_kept_file_is_reused(reader, picture):
    """A second read writes nothing."""
    first = reader.read(picture, IMAGE).path.stat()
    second = reader.read(picture, IMAGE).path.stat()
    assert (first.st_ino, first.st_mtime_ns) == (second.st_ino, second.st_mtime_ns)


def test_a_damaged_kept_file_is_replaced(reader, picture):
    """Reading the input again mends what somebody has damaged."""
    media = reader.read(picture, IMAGE)
    media.path.write_bytes(b"damaged")
    with pytest.raises(ResourceNotFoundError, match=r"cat\.png.*not kept"):
        reader.find(media.to_reference())
    assert reader.read(picture, IMAGE).read_bytes() == png()
    assert reader.find(media.to_reference()) == media


def test_an_input_is_found_by_another_reader(reader, picture, inputs):
    """A later process with the same folder finds it: name, size and rate included."""
    media = reader.read(picture, IMAGE)
    reference = json.loads(json.dumps(media.to_reference()))
    assert LocalMediaReader(inputs).find(reference) == media


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"sha256": "../../etc/passwd", "kind": "image"},
        {"sha256": "*", "kind": "image"},
        {"sha256": 7, "kind": "image"},
        {"sha256": "0" * 64},
        {"sha256": "0" * 64, "kind": "sound"},
    ],
)
def test_a_reference_of_somebody_else_is_not_found(reader, reference):
    """References come out of files that people send: nothing in them is believed."""
    with pytest.raises(ResourceNotFoundError):
        reader.find(reference)


def test_a_reference_of_the_wrong_kind_is_not_found(reader, picture):
    """A picture is not found as a video."""
    reference = {**reader.read(picture, IMAGE).to_reference(), "kind": "video"}
    with pytest.raises(ResourceNotFoundError, match="cannot be used"):
        reader.find(reference)


def test_facts_in_a_reference_are_not_believed(reader, picture):
    """The size comes from the bytes, whatever the record says."""
    reference = {**reader.read(picture, IMAGE).to_reference(), "width": 10**9, "name": 7}
    found = reader.find(reference)
    assert (found.width, found.name) == (32, None)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.png", b"just some notes", "this is text, not a picture"),
        ("data.png", b'{"a": 1}', "text (JSON), not a picture"),
        ("page.png", b"\n <!DOCTYPE HTML><html>", "a web page (HTML), not a picture"),
        ("logo.png", b'<?xml version="1.0"?><svg/>', "an SVG drawing, not a picture"),
        ("paper.png", b"%PDF-1.7 ...", "a PDF document, not a picture"),
        ("pack.png", b"PK\x03\x04....", "a zip archive, not a picture"),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(40), "a damaged HEIC picture"),
        ("film.mp4", b"\0\0\0\x18ftypisom" + bytes(40), "a damaged or unfinished mp4 video"),
        ("song.wav", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "a sound"),
        ("x.riff", b"RIFF\x24\0\0\0ABCDabcd" + bytes(40), "a RIFF file"),
        ("noise.png", bytes(range(1, 200)), "data of an unknown kind, not a picture"),
        ("cut.png", png()[:30], "a damaged PNG picture"),
        ("real.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
    ],
)
def test_a_file_that_is_no_picture_is_named(reader, tmp_path, inputs, name, content, words):
    """The message says what was found, whatever the ending claims, and nothing is kept."""
    (tmp_path / name).write_bytes(content)
    error = refused(reader, tmp_path / name)
    assert words in error.message
    assert "PNG, JPEG" in error.message
    assert not list(inputs.iterdir())


@pytest.mark.parametrize("kind", list(MediaKind))
def test_a_missing_path_has_a_hint(reader, picture, kind):
    """A typing error is mended by the nearest name that is there."""
    error = refused(reader, picture.with_name("cst.png"), kind)
    assert "Did you mean 'cat.png'?" in error.message


def test_a_missing_folder_is_named(reader, tmp_path):
    """When the folder is wrong, the file's name is not the trouble."""
    assert "not even a folder" in refused(reader, tmp_path / "no" / "a.png").message


def test_a_file_is_no_folder(reader, picture):
    """A path through a file leads nowhere."""
    assert "there is no file" in refused(reader, picture / "a.png").message


def test_a_folder_is_refused(reader, tmp_path):
    """A folder is not a file."""
    assert "is a folder" in refused(reader, tmp_path).message


@pytest.mark.parametrize("kind", list(MediaKind))
def test_an_empty_file_is_refused(reader, tmp_path, kind):
    """No bytes are not an unknown format, they are no bytes."""
    (tmp_path / "a.png").touch()
    assert "'a.png' is empty" in refused(reader, tmp_path / "a.png", kind).message


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
def test_a_pipe_is_refused(reader, tmp_path):
    """A pipe would be waited on for ever."""
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a regular file" in refused(reader, tmp_path / "pipe.png").message


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_link_to_itself_is_refused(reader, tmp_path):
    """The operating system's reason is passed on."""
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    assert "cannot be read: Too many levels" in refused(reader, tmp_path / "a.png").message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_of_somebody_else_is_refused(reader, picture):
    """Permission is the trouble, not the format."""
    picture.chmod(0)
    assert "Permission denied" in refused(reader, picture).message


def test_a_file_that_breaks_while_it_is_read_is_refused(reader):
    """A file object on a share that goes away."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the share is gone")

    assert "the share is gone" in refused(reader, Broken()).message


@pytest.mark.parametrize("text", ["", "  ", "a\0b.png", "x" * 5000])
def test_a_string_that_is_no_path_is_refused(reader, text):
    """A picture in base64, given as it is, is met with the right spelling."""
    error = refused(reader, text)
    assert ("data:image/png;base64" in error.message) == bool(text.strip())


@pytest.mark.parametrize("source", [None, 7, 1.5, {b"a"}, {"path": "a"}, object()])
@pytest.mark.parametrize("kind", list(MediaKind))
def test_something_else_is_refused(reader, source, kind):
    """The message names the type, and the types that work."""
    message = refused(reader, source, kind).message
    assert type(source).__name__ in message
    assert "open binary file" in message


@pytest.mark.parametrize("source", [b"", bytearray(), memoryview(b""), "data:,", "data:;base64,"])
def test_no_bytes_are_refused(reader, source):
    """Nothing is given in many ways."""
    assert refused(reader, source).code == "empty"


def test_a_file_object_at_its_end_is_refused_with_a_hint(reader):
    """The common mistake with BytesIO."""
    file = io.BytesIO()
    file.write(png())
    assert "seek(0)" in refused(reader, file).message


def test_a_text_file_object_is_refused_with_a_hint(reader):
    """open(path) without "rb"."""
    assert "binary mode" in refused(reader, io.StringIO("text")).message


def test_a_closed_file_object_is_refused(reader, picture):
    """Python's own words are passed on."""
    file = picture.open("rb")
    file.close()
    assert "closed file" in refused(reader, file).message


@pytest.mark.parametrize(
    ("url", "words"),
    [("data:image/png;base64", "no comma"), ("data:;base64,!!!!", "its data is not")],
)
def test_a_wrong_data_url_is_refused(reader, url, words):
    """Each mistake by its name."""
    assert words in refused(reader, url).message


@pytest.mark.parametrize("way", ["path", "bytes", "file", "data"])
def test_what_is_too_large_is_refused(inputs, picture, way):
    """The limit on bytes holds for each way to give them."""
    data = png()
    source = {
        "path": picture,
        "bytes": data,
        "file": io.BytesIO(data),
        "data": f"data:,{'x' * 10 * len(data)}",
    }[way]
    reader = LocalMediaReader(inputs, limits=MediaLimits(bytes=len(data) - 1))
    assert refused(reader, source).code == "too_large"
    assert not inputs.exists() or not list(inputs.iterdir())


@pytest.mark.parametrize("kind", list(MediaKind))
def test_a_picture_with_far_too_many_pixels_is_refused(reader, kind):
    """30,000 x 30,000 in a file of a hundred bytes: refused before a pixel is decoded."""
    error = refused(reader, png_header(30_000, 30_000), kind)
    assert "pixels" in error.message
    assert error.code == "too_large" if kind is IMAGE else "not_a_video"


def test_a_picture_with_too_many_pixels_is_measured(reader):
    """Between our limit and Pillow's, the size is said."""
    assert (
        "13000x13000, that is 169,000,000 pixels"
        in refused(reader, png_header(13_000, 13_000)).message
    )


def test_a_video_is_no_picture(reader, tmp_path):
    """And the other way round; both are named."""
    path = write_video(tmp_path / "a.mp4", moving_square(2))
    assert "this is a video, not a picture" in refused(reader, path).message
    assert "PNG picture that does not move" in refused(reader, png(), VIDEO).message
    assert "this is one picture" in refused(reader, Image.new("RGB", (8, 8)), VIDEO).message


def test_a_sound_is_neither(reader, tmp_path):
    """An mp4 with a tone alone."""
    path = write_sound(tmp_path / "a.mp4")
    assert "this is a sound, not a picture" in refused(reader, path).message
    assert "a sound without pictures" in refused(reader, path, VIDEO).message


def test_text_is_no_video(reader, tmp_path):
    """A text file named .mp4."""
    (tmp_path / "a.mp4").write_text("film")
    message = refused(reader, tmp_path / "a.mp4", VIDEO).message
    assert "this is text, not a video; mp4" in message


def test_a_folder_that_cannot_be_made_is_our_trouble(picture, tmp_path):
    """Not the caller's input, but the store is at fault."""
    with pytest.raises(ProcessingError, match="folder of inputs") as caught:
        LocalMediaReader(picture / "inputs").read(png(), IMAGE)
    assert caught.value.code == "inputs_not_writable"


def test_a_full_disk_is_our_trouble(reader, inputs):
    """The temporary file is gone afterwards."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(ProcessingError, match="cannot be written"):
            reader.read(png(), IMAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(inputs.iterdir()) == []


def test_an_animation_is_a_picture_and_a_video(reader, tmp_path):
    """As a picture it is its first frame, as a video all of them with their times."""
    path = animation(tmp_path / "a.gif", [0, 100, 200], [100, 200, 100])
    still, moving = reader.read(path, IMAGE), reader.read(path, VIDEO)
    assert still.path == moving.path
    assert (still.frames, still.fps) == (1, None)
    assert load_image(still).getpixel((0, 0)) == (0, 0, 0)
    assert (moving.frames, moving.fps, moving.media_type) == (4, 10.0, "image/gif")
    assert len(load_video(moving)) == 4
    assert reader.find(moving.to_reference()) == moving


def test_importing_the_package_is_light():
    """Neither Pillow nor PyAV nor numpy nor httpx is loaded before something is read."""
    heavy = "{'PIL', 'av', 'numpy', 'httpx', 'httpcore', 'torch', 'onnxruntime'}"
    code = f"import sys, tiomagic_media; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_reader_satisfies_the_port(reader):
    """Typed: the type checker sees it, and so does this line."""
    port: MediaReader = reader
    assert port is reader
