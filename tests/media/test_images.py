"""How each kind of picture becomes RGB, and that nothing of Pillow's leaks out."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from tests.media.colours import PATCHES, middles, patches
from tests.media.conftest import as_media
from tests.media.heic import heic, tiled_heic

from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media.decode.frames import load_image, load_video
from tiomagic_media.decode.images import FORMATS, to_rgb

IMAGE = MediaKind.IMAGE


def encoded(image: Image.Image, form: str, **kwargs) -> bytes:
    """Return a picture's bytes in a format."""
    buffer = io.BytesIO()
    image.save(buffer, format=form, **kwargs)
    return buffer.getvalue()


def corners() -> Image.Image:
    """Return 24x16 with a red upper left and a blue lower right quarter."""
    picture = Image.new("RGB", (24, 16), "white")
    picture.paste("red", (0, 0, 12, 8))
    picture.paste("blue", (12, 8, 24, 16))
    return picture


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"MPO", "HEIF"}))
def test_every_format_is_read(reader, form):
    """What the messages promise is read, with its colours."""
    media = reader.read(encoded(corners(), form), IMAGE)
    picture = load_image(media)
    assert (media.width, media.height) == picture.size == (24, 16)
    if form != "GIF":
        assert np.abs(np.subtract(picture.getpixel((3, 3)), (255, 0, 0))).max() < 20
    assert np.abs(np.subtract(picture.getpixel((20, 12)), (0, 0, 255))).max() < 20


def test_a_camera_with_two_pictures_is_read(reader):
    """Phones write MPO under the name of JPEG."""
    data = encoded(corners(), "MPO", save_all=True, append_images=[corners()])
    media = reader.read(data, IMAGE)
    assert (media.media_type, media.path.suffix) == ("image/jpeg", ".jpg")


def test_a_format_that_is_not_listed_is_refused(reader):
    """Pillow could read PPM; nobody needs it."""
    with pytest.raises(ValidationError, match="PNG, JPEG"):
        reader.read(encoded(corners(), "PPM"), IMAGE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_is_honoured(reader, form, orientation):
    """The size in the record is that of the picture as it is seen, and so is the picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corners(), form, exif=exif)
    media = reader.read(data, IMAGE)
    picture = load_image(media)
    assert picture.size == (media.width, media.height)
    assert picture.size == ((24, 16) if orientation < 5 else (16, 24))
    right, below = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    x = picture.width - 3 if right else 2
    y = picture.height - 3 if below else 2
    red, green, blue = picture.getpixel((x, y))
    assert red > 200
    assert max(green, blue) < 80


def test_the_orientation_of_an_opened_picture_is_honoured(reader):
    """A PIL image that was opened from a phone's file lies on its side in memory."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(encoded(corners(), "JPEG", exif=exif))) as opened:
        media = reader.read(opened, IMAGE)
    assert (media.width, media.height) == load_image(media).size == (16, 24)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(reader, mode):
    """Whatever colour hides behind them."""
    picture = Image.new("RGBA", (4, 1), (200, 0, 0, 255))
    picture.putpixel((1, 0), (200, 0, 0, 0))
    picture.putpixel((2, 0), (0, 0, 0, 0))
    if mode == "P":
        picture = picture.quantize(8)
    seen = load_image(reader.read(encoded(picture.convert(mode), "PNG"), IMAGE))
    assert seen.mode == "RGB"
    assert seen.getpixel((1, 0)) == seen.getpixel((2, 0)) == (255, 255, 255)
    assert seen.getpixel((0, 0)) != (255, 255, 255)


def test_half_transparent_parts_are_mixed_with_white(reader):
    """Half of black over white is grey."""
    data = encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), "PNG")
    assert load_image(reader.read(data, IMAGE)).getpixel((0, 0)) == (127, 127, 127)


def test_a_transparent_colour_counts(reader):
    """Old PNGs name one colour that is not there."""
    data = encoded(Image.new("RGB", (2, 2), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    assert load_image(reader.read(data, IMAGE)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_a_turned_tiff_is_upright(tmp_path, mode, compression, turned):
    """However its pixels lie in the file; expected: the same picture turned by Pillow as a PNG."""
    picture = corners().convert(mode)
    tags = {0x112: turned}
    as_tiff = encoded(picture, "TIFF", compression=compression, tiffinfo=tags)
    exif = Image.Exif()
    exif[0x112] = turned
    flat = picture if mode != "CMYK" else picture.convert("RGB")
    shown = []
    for name, data in (("a.png", encoded(flat, "PNG", exif=exif)), ("a.tif", as_tiff)):
        path = tmp_path / name
        path.write_bytes(data)
        shown.append(load_image(as_media(path, IMAGE)))
    expected, found = shown
    assert found.size == expected.size
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(reader, form):
    """65535 is white and 32896 is the middle; nothing is cut off at 255."""
    levels = np.array([[0, 255, 32896, 65535]], dtype=np.uint16)
    media = reader.read(encoded(Image.fromarray(levels), form), IMAGE)
    assert np.asarray(load_image(media))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_a_negative_of_sixteen_bits_is_turned_round(reader):
    """In a TIFF whose zero is white, 65535 is black."""
    levels = np.array([[0, 255, 32896, 65535]], dtype=np.uint16)
    data = encoded(Image.fromarray(levels), "TIFF")
    entry = struct.pack("<HHIH", 262, 3, 1, 1)
    assert data.count(entry) == 1
    negative = data.replace(entry, struct.pack("<HHIH", 262, 3, 1, 0))
    media = reader.read(negative, IMAGE)
    assert np.asarray(load_image(media))[0, :, 0].tolist() == [255, 254, 127, 0]


def test_whole_numbers_of_32_bits_are_refused(reader):
    """Nothing says which number is white: they would be black, or cut off at 16 bits."""
    picture = Image.fromarray(np.full((4, 4), 2**30, dtype=np.int32))
    with pytest.raises(ValidationError, match="white"):
        reader.read(encoded(picture, "TIFF"), IMAGE)


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "I;16", "YCbCr", "HSV", "LAB", "RGBa", "PA"])
def test_every_mode_of_pil_is_taken(reader, mode):
    """Grey is grey in every mode that a PIL image can have."""
    grey = Image.new("RGB", (6, 4), (128, 128, 128))
    if mode == "I;16":
        picture = Image.fromarray(np.full((4, 6), 128 * 257, dtype=np.uint16))
    elif mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(grey, *profiles, outputMode="LAB")
    elif mode in ("RGBa", "PA"):
        picture = (
            grey.convert("RGBA").convert("RGBa")
            if mode == "RGBa"
            else grey.quantize(2).convert("PA")
        )
    elif mode == "1":
        picture = Image.new("1", (6, 4), 1)
    else:
        picture = grey.convert(mode)
    seen = load_image(reader.read(picture, IMAGE))
    assert seen.mode == "RGB"
    wanted = 255 if mode == "1" else 128
    assert np.abs(np.asarray(seen).astype(int) - wanted).max() <= 3


def test_cmyk_files_are_taken(reader):
    """A JPEG from a print shop."""
    data = encoded(Image.new("RGB", (8, 8), (255, 0, 0)).convert("CMYK"), "JPEG", quality=95)
    red, green, blue = load_image(reader.read(data, IMAGE)).getpixel((4, 4))
    assert red > 240
    assert max(green, blue) < 15


def test_floating_point_pixels_are_refused(reader):
    """Nobody says which number is white."""
    picture = Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32))
    for source in (picture, encoded(picture, "TIFF")):
        with pytest.raises(ValidationError, match="white"):
            reader.read(source, IMAGE)
    with pytest.raises(ValueError, match="white"):
        to_rgb(picture)


def test_a_colour_profile_is_applied(reader):
    """A picture whose profile has swapped primaries is seen as its profile says."""
    # The one profile at hand that is not sRGB: linear light would need a file; XYZ and LAB have
    # other pixels. So sRGB itself: it must change nothing, while a broken one must not break.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"broken"):
        for mode in ("RGB", "RGBA"):
            picture = corners().convert(mode)
            seen = load_image(reader.read(encoded(picture, "PNG", icc_profile=profile), IMAGE))
            assert np.abs(np.asarray(seen).astype(int) - np.asarray(corners())).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_a_picture_that_is_cut_off_is_refused(reader, form, part):
    """Half a picture is not quietly half grey."""
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    data = encoded(noise, form)
    with pytest.raises(ValidationError, match="damaged"):
        reader.read(data[: int(len(data) * part)], IMAGE)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]),
    kind=st.sampled_from(MediaKind),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    cut=st.floats(0.1, 1),
)
def test_no_damage_raises_anything_but_our_errors(reader, form, kind, changes, cut):
    """Whatever bytes are changed: a picture or a ValidationError, no warning, nothing else."""
    if form not in FORMATS:
        return
    data = bytearray(encoded(corners(), form))
    data = data[: max(1, int(len(data) * cut))]
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            media = reader.read(bytes(data), kind)
            if kind is IMAGE:
                assert load_image(media).size == (media.width, media.height)
        except TioMagicError as error:
            assert isinstance(error, ValidationError)  # noqa: PT017


def test_many_threads_leave_the_warnings_alone(reader):
    """Silencing Pillow's warnings is undone, also when pictures are read side by side."""
    before = list(warnings.filters)
    data = encoded(corners(), "PNG")
    threads = [threading.Thread(target=reader.read, args=(data, IMAGE)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_a_picture_that_is_gone_is_told_by_its_hash(tmp_path):
    """Bytes have no name; the beginning of the hash stands for it."""
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with pytest.raises(TioMagicError, match="000000000000…"):
        load_image(as_media(path, IMAGE))


def seen(reader, data: bytes) -> np.ndarray:
    """Return what is read of a picture."""
    return np.asarray(load_image(reader.read(data, IMAGE)))


def test_heic_is_a_picture(reader):
    """What phones write: read, kept as what it is, and never a video."""
    data = heic(Image.fromarray(patches()))
    media = reader.read(data, IMAGE)
    assert (media.media_type, media.path.suffix) == ("image/heic", ".heic")
    assert (media.width, media.height) == (128, 96)
    assert np.abs(middles(np.asarray(load_image(media))) - np.array(PATCHES)).max() <= 6
    with pytest.raises(ValidationError, match="a HEIC picture that does not move"):
        reader.read(data, MediaKind.VIDEO)


def test_heic_in_tiles_is_read_whole(reader):
    """Phones cut their pictures into tiles."""
    picture = np.kron(patches(), np.ones((2, 2, 1), np.uint8))
    media = reader.read(tiled_heic(picture, 64), IMAGE)
    assert (media.width, media.height) == (256, 192)
    assert np.abs(np.asarray(load_image(media)).astype(int) - picture).max() <= 8


def test_heic_lies_as_it_was_held(reader):
    """Turned once, by the box and not a second time by the EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    media = reader.read(heic(corners().resize((48, 32)), exif=exif.tobytes()), IMAGE)
    picture = load_image(media)
    assert picture.size == (media.width, media.height) == (32, 48)
    red, green, blue = picture.getpixel((28, 4))
    assert red > 200
    assert max(green, blue) < 80


def test_several_heic_pictures_do_not_play(reader):
    """A series in one file is no video."""
    buffer = io.BytesIO()
    pillow = pytest.importorskip("pillow_heif")
    several = pillow.from_pillow(Image.new("RGB", (64, 64), "red"))
    several.add_from_pillow(Image.new("RGB", (64, 64), "blue"))
    several.save(buffer, quality=90)
    with pytest.raises(ValidationError, match="does not move"):
        reader.read(buffer.getvalue(), MediaKind.VIDEO)


@pytest.mark.parametrize("kind", list(MediaKind))
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_heic_that_is_cut_off_is_named(reader, kind, part):
    """FFmpeg would open it, and call it a video."""
    noise = Image.effect_noise((128, 128), 90).convert("RGB")
    data = heic(noise)
    with pytest.raises(ValidationError, match=r"damaged HEIC|HEIC picture"):
        reader.read(data[: int(len(data) * part)], kind)


@pytest.mark.parametrize("form", ["TIFF", "MPO"])
def test_pages_do_not_play(reader, form):
    """Two pages of a TIFF, or the two views of a camera, are no video."""
    data = encoded(corners(), form, save_all=True, append_images=[corners()])
    with pytest.raises(ValidationError, match="does not move"):
        reader.read(data, MediaKind.VIDEO)


def swapped_profile() -> bytes:
    """Return sRGB with red and green exchanged: a profile that cannot be overlooked."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    names = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(data[131])}
    red, green = names[b"rXYZ"], names[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "PA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "GIF", "WEBP"])
def test_a_profile_holds_for_every_kind_of_pixel(reader, mode, form):
    """The colours of a palette are meant by the profile as others are."""
    picture = Image.new("RGB", (8, 8), (250, 10, 10))
    if mode == "P":
        picture = picture.quantize(4)
    elif mode == "PA":
        picture = picture.convert("RGBA").quantize(4)
    elif mode == "RGBA":
        picture = picture.convert("RGBA")
    if form in ("GIF", "WEBP") and mode == "PA":
        return
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(picture, form, icc_profile=swapped_profile(), **options)
    red, green, blue = seen(reader, data)[4, 4]
    if form == "GIF":
        # Browsers and FFmpeg take no notice of a profile in a GIF, nor is it put there by most.
        with Image.open(io.BytesIO(data)) as image:
            if "icc_profile" not in image.info:
                return
    assert green > 200
    assert max(red, blue) < 90


def test_a_profile_does_not_bring_back_what_is_transparent(reader):
    """The one colour that is not there is taken out before it becomes another."""
    picture = Image.new("RGB", (2, 1), (250, 10, 10))
    picture.putpixel((1, 0), (10, 250, 10))
    data = encoded(picture, "PNG", icc_profile=swapped_profile(), transparency=(250, 10, 10))
    left, right = seen(reader, data)[0]
    assert left.tolist() == [255, 255, 255]
    assert right[0] > 200


def noise_jpeg(**options) -> bytes:
    """Return a JPEG that has something to lose everywhere."""
    noise = np.random.default_rng(3).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    return encoded(Image.fromarray(noise), "JPEG", quality=90, **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}],
    ids=str,
)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_jpeg_that_lacks_its_end_marker_is_read(reader, options, lost):
    """All of the picture is there: it is seen as it was."""
    data = noise_jpeg(**options)
    assert data.endswith(b"\xff\xd9")
    assert np.array_equal(seen(reader, data[:-lost]), seen(reader, data))


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}],
    ids=str,
)
@pytest.mark.parametrize("lost", [8, 16, 40, 400, 0.1, 0.5, 0.9])
def test_a_jpeg_that_is_cut_off_is_refused(reader, options, lost):
    """Some bytes of the picture are missing, with or without an end marker put behind."""
    data = noise_jpeg(**options)
    kept = data[: -lost if isinstance(lost, int) else int(len(data) * (1 - lost))]
    with pytest.raises(ValidationError, match="damaged"):
        reader.read(kept, IMAGE)


def test_a_progressive_jpeg_that_lacks_a_pass_is_refused(reader):
    """Cut exactly between two passes, everything before is whole, and the picture is coarse."""
    data = noise_jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last)
    with pytest.raises(ValidationError, match="damaged"):
        reader.read(data[:tables], IMAGE)


def test_a_jpeg_of_endless_passes_is_refused(reader):
    """Thousands of passes over many pixels are hours of work in a small file."""
    data = noise_jpeg(progressive=True)
    first, end = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9")
    many = data[:end] + data[first:end] * 200 + data[end:]
    with pytest.raises(ValidationError, match="goes through its pixels") as caught:
        reader.read(many, IMAGE)
    assert caught.value.code == "too_large"


def test_the_fallback_of_an_animated_png_does_not_play(reader):
    """What is shown by programs that show no animations is no frame of it."""
    fallback, *frames = (Image.new("L", (8, 8), level) for level in (255, 0, 80, 160))
    data = encoded(
        fallback, "PNG", save_all=True, default_image=True, append_images=frames, duration=50
    )
    media = reader.read(data, MediaKind.VIDEO)
    assert media.frames == 3
    assert load_video(media)[:, 0, 0, 0].tolist() == [0, 80, 160]
    one = encoded(fallback, "PNG", save_all=True, default_image=True, append_images=frames[:1])
    with pytest.raises(ValidationError, match="does not move"):
        reader.read(one, MediaKind.VIDEO)


def test_an_animated_png_that_claims_more_frames_is_refused(reader):
    """A thousand million frames, of which there are three."""
    pictures = [Image.new("L", (8, 8), level) for level in (0, 80, 160)]
    data = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:], duration=50)
    place = data.index(b"acTL")
    body = struct.pack(">II", 10**9, 0)
    claim = b"acTL" + body + struct.pack(">I", zlib.crc32(b"acTL" + body))
    with pytest.raises(ValidationError, match="damaged after 3 frames"):
        reader.read(data[:place] + claim + data[place + 16 :], MediaKind.VIDEO)


def test_a_gif_whose_frame_reaches_beyond_it_keeps_its_size(reader):
    """Players show what is inside of the picture."""
    pictures = [Image.new("L", (16, 12), level) for level in (0, 200)]
    data = bytearray(encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:]))
    data[6:10] = struct.pack("<HH", 8, 12)  # The screen is half as wide as its frames.
    media = reader.read(bytes(data), MediaKind.VIDEO)
    assert load_video(media).shape == (2, media.height, media.width, 3)
