"""What thumbs look like, to the colour of their corners."""

from __future__ import annotations

import pytest
from pictures import NAMES, QUARTERS, TYPES, color_at, colors, encode, quarters, stripes, thumb_of
from PIL import Image, ImageCms

SIZES = [
    ("40x20", (40, 20), QUARTERS),
    ("50x50", (50, 50), QUARTERS),
    ("60x60f", (60, 30), QUARTERS),
    ("0x30", (60, 30), QUARTERS),
    ("40x0", (40, 20), QUARTERS),
    ("300x200", (300, 200), QUARTERS),
]
WAYS = [
    ("30x30", "green"),
    ("30x30t", "red"),
    ("30x30b", "blue"),
]


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize(("size", "made", "seen"), SIZES)
def test_every_type_in_every_size(tmp_path, media_type, size, made, seen):
    """A thumb has the type of its image, the size that was asked for, and shows the same."""
    thumb = thumb_of(tmp_path, encode(quarters(), media_type), media_type, size)

    assert thumb.get_format_mimetype() == media_type
    assert thumb.size == made
    assert colors(thumb) == seen


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize(("size", "shown"), WAYS)
def test_from_where_it_is_cut(tmp_path, media_type, size, shown):
    """Without a word the middle is shown; `t` shows the top, `b` the bottom."""
    thumb = thumb_of(tmp_path, encode(stripes(), media_type), media_type, size)

    assert colors(thumb) == [shown] * 4


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp", "image/avif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_is_turned_as_the_camera_was_held(tmp_path, media_type, turn):
    """Whatever the orientation in EXIF, the thumb stands upright, and carries no orientation."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = turn
    held = quarters().transpose(back[turn]) if turn in back else quarters()

    thumb = thumb_of(tmp_path, encode(held, media_type, exif=exif), media_type, "60x60f")

    assert thumb.size == (60, 30)
    assert colors(thumb) == QUARTERS
    assert thumb.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("media_type", TYPES)
def test_a_large_image_is_made_smaller_in_steps(tmp_path, media_type):
    """An image many times as large as its thumb shows the same."""
    thumb = thumb_of(tmp_path, encode(quarters(1999, 1001), media_type), media_type, "40x40")

    assert colors(thumb) == QUARTERS


def test_a_thumb_tells_nothing_of_its_photo(tmp_path):
    """Places, comments, programs and profiles stay with the original."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encode(
        quarters(), "image/jpeg", exif=exif, comment=b"secret", icc_profile=profile, xmp=b"<x/>", dpi=(300, 300)
    )

    thumb = thumb_of(tmp_path, content, "image/jpeg", "40x20")

    assert dict(thumb.getexif()) == {}
    assert set(thumb.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp", "image/avif"])
def test_a_profile_is_heeded(tmp_path, media_type):
    """An image whose profile calls red what others call blue has a thumb that is blue for everyone."""
    image = Image.new("RGB", (200, 100), "red")

    thumb = thumb_of(tmp_path, encode(image, media_type, icc_profile=swapped_profile()), media_type, "40x20")

    assert colors(thumb) == ["blue"] * 4
    assert "icc_profile" not in thumb.info


@pytest.mark.parametrize("profile", [b"nonsense", bytes(6 << 20)], ids=["broken", "huge"])
def test_a_profile_that_is_no_use_is_left_out(tmp_path, profile):
    """A broken or huge profile does not keep an image from having a thumb."""
    thumb = thumb_of(tmp_path, encode(quarters(), "image/jpeg", icc_profile=profile), "image/jpeg", "40x20")

    assert colors(thumb) == QUARTERS


@pytest.mark.parametrize("media_type", ["image/png", "image/gif", "image/webp", "image/avif"])
def test_what_is_transparent_stays_so(tmp_path, media_type):
    """The left half of the image is not there, in the thumb as well."""
    image = quarters().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 100, 100))

    thumb = thumb_of(tmp_path, encode(image, media_type), media_type, "40x20").convert("RGBA")

    assert thumb.getpixel((5, 10))[3] == 0
    assert thumb.getpixel((35, 10))[3] == 255
    assert color_at(thumb, (35, 15)) == "white"


def test_a_transparent_color_of_a_palette(tmp_path):
    """One colour of a palette stands for nothing, in the thumb as well."""
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    image.info["transparency"] = image.getpixel((5, 5))

    thumb = thumb_of(tmp_path, encode(image, "image/png"), "image/png", "40x20").convert("RGBA")

    assert [thumb.getpixel(place)[3] for place in ((5, 5), (35, 5), (5, 15), (35, 15))] == [0, 255, 255, 255]


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        (Image.new("I;16", (200, 100), 128 * 257), (128, 128, 128)),
        (Image.new("1", (200, 100), 1), (255, 255, 255)),
        (Image.new("L", (200, 100), 77), (77, 77, 77)),
        (Image.new("LA", (200, 100), (77, 255)), (77, 77, 77)),
    ],
    ids=["16 bits", "1 bit", "gray", "gray with alpha"],
)
def test_other_kinds_of_pixels(tmp_path, image, seen):
    """Images of few or many bits keep their brightness."""
    thumb = thumb_of(tmp_path, encode(image), "image/png", "40x20")

    assert thumb.convert("RGB").getpixel((20, 10)) == seen


def test_an_image_for_print(tmp_path):
    """A JPEG in CMYK has a thumb for screens."""
    thumb = thumb_of(tmp_path, encode(quarters().convert("CMYK"), "image/jpeg"), "image/jpeg", "40x20")

    assert thumb.mode == "RGB"
    assert colors(thumb) == QUARTERS


@pytest.mark.parametrize("media_type", ["image/gif", "image/webp", "image/png", "image/avif"])
def test_of_a_film_the_first_picture(tmp_path, media_type):
    """A thumb does not move: it shows the first frame."""
    later = Image.new("RGB", (200, 100), NAMES["blue"])
    content = encode(quarters(), media_type, save_all=True, append_images=[later] * 2)

    thumb = thumb_of(tmp_path, content, media_type, "40x20")

    assert colors(thumb) == QUARTERS
    assert getattr(thumb, "n_frames", 1) == 1


def swapped_profile():
    """A profile like sRGB, with red and blue taken for each other."""
    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    start = 132
    for n in range(int.from_bytes(whole[128:132])):
        tag = start + 12 * n
        other = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(whole[tag : tag + 4])
        whole = whole[:tag] + (other or whole[tag : tag + 4]) + whole[tag + 4 :]
    return whole
