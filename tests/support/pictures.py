"""Pictures whose parts have colours one can name."""

from __future__ import annotations

import hashlib
from io import BytesIO

from PIL import Image

from undercroft.files.store import Facts
from undercroft.files.thumb_image import make_thumb, prepare
from undercroft.files.thumb_jobs import Job
from undercroft.files.thumb_size import parse_size

NAMES = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
QUARTERS = ["red", "green", "blue", "white"]
TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"]


def quarters(width=200, height=100):
    """Red and green above blue and white."""
    image = Image.new("RGB", (width, height))
    for n, name in enumerate(QUARTERS):
        left, top = (n % 2) * width // 2, (n // 2) * height // 2
        image.paste(NAMES[name], (left, top, left + (width + 1) // 2, top + (height + 1) // 2))
    return image


def stripes(width=100, height=300):
    """Red above green above blue."""
    image = Image.new("RGB", (width, height))
    for n, name in enumerate(QUARTERS[:3]):
        image.paste(NAMES[name], (0, n * height // 3, width, (n + 1) * height // 3))
    return image


def encode(image, media_type="image/png", **options):
    """The bytes of an image as a file."""
    out = BytesIO()
    image.save(out, media_type.rpartition("/")[2].upper(), **options)
    return out.getvalue()


def picture_facts(content, media_type, name="Photo"):
    """What a store is told of an image."""
    return Facts(media_type, hashlib.md5(content, usedforsecurity=False).hexdigest(), name)


def thumb_of(folder, content, media_type, size):
    """The thumb of an image file, made here and now."""
    prepare()
    source, target = folder / "source", folder / "target"
    source.write_bytes(content)
    make_thumb(Job(str(source), media_type, parse_size(size), str(target)))
    return opened(target.read_bytes())


def opened(content):
    """The image in a file."""
    image = Image.open(BytesIO(content))
    image.load()
    return image


def colors(image):
    """The names of the colours near the four corners."""
    width, height = image.size
    x, y = width // 8, height // 8
    places = [(x, y), (width - 1 - x, y), (x, height - 1 - y), (width - 1 - x, height - 1 - y)]
    return [color_at(image, place) for place in places]


def color_at(image, place):
    """The name of the nearest colour at a place."""
    seen = image.convert("RGB").getpixel(place)
    return min(NAMES, key=lambda name: sum((a - b) ** 2 for a, b in zip(NAMES[name], seen, strict=True)))
