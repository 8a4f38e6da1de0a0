"""Thumbs show what the peer's show, in the same size."""

from __future__ import annotations

import pytest
from gallery import SIZES, build_gallery, hang
from pictures import encode, opened, quarters, stripes
from PIL import Image, ImageChops, ImageStat

ALIKE = 6  # of 255, on average: resampling and compression differ, what is shown does not


def photo(width, height, turn=1):
    """Colours that run, so that every shift shows."""
    red, green = Image.linear_gradient("L").resize((width, height)), Image.linear_gradient("L").rotate(90)
    image = Image.merge("RGB", (red, green.resize((width, height)), Image.new("L", (width, height), 90)))
    image.paste(quarters(width // 4, height // 4), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = turn
    return encode(image, "image/jpeg", quality=95, exif=exif)


IMAGES = {
    "wide.jpg": photo(640, 360),
    "tall.jpg": photo(333, 727),
    "turned.jpg": photo(640, 360, turn=6),
    "mirrored.jpg": photo(640, 360, turn=5),
    "tiny.png": encode(quarters(13, 7)),
    "stripes.png": encode(stripes()),
    "gray.png": encode(quarters().convert("L")),
    "palette.gif": encode(quarters(), "image/gif"),
}


@pytest.fixture(scope="module", autouse=True)
def galleries(peer, ours):
    for server in (peer, ours):
        build_gallery(server)


@pytest.mark.parametrize("name", IMAGES)
def test_thumbs_are_alike(peer, ours, name):
    """Same type, same size, and the same to see, in every form."""
    hung = [hang(server, name, IMAGES[name]) for server in (peer, ours)]

    for size in [*SIZES, "100x100", "999x999"]:
        theirs, made = (opened(picture.thumb(size).content) for picture in hung)
        assert (size, made.format, made.size) == (size, theirs.format, theirs.size)
        difference = ImageStat.Stat(ImageChops.difference(theirs.convert("RGB"), made.convert("RGB")))
        assert max(difference.mean) < ALIKE, size
