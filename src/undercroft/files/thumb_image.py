"""Making a thumb. Only the processes that do nothing else import this, and with it Pillow.

What can be known from a header is checked before anything is decoded. A large image
is first made smaller by a whole factor (a JPEG while it is being decoded), then
turned as its camera was held, then cut and scaled: so no step but decoding ever
holds it whole. A thumb is in sRGB and says nothing of where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from undercroft.files.thumb_frames import count_frames
from undercroft.files.thumb_jobs import Job
from undercroft.files.thumb_size import Size, cut, scaled

MOST_PIXELS: Final = 40_000_000
MOST_FRAMES: Final = 100

_LARGEST_PROFILE: Final = 4 << 20
_LARGEST_TEXTS: Final = 16 << 20
_ORIENTATION: Final = 0x0112
_ENOUGH: Final = 2  # times the size of the thumb: scaling down from there loses nothing one sees
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS: Final = (5, 6, 7, 8)
_FORMATS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "image/avif": ("AVIF", {"quality": 70, "speed": 7, "max_threads": 1}),
    "image/gif": ("GIF", {}),
    "image/jpeg": ("JPEG", {"quality": 85, "optimize": True}),
    "image/png": ("PNG", {}),
    "image/webp": ("WEBP", {"quality": 82, "method": 4}),
}


class Refused(Exception):
    """There is no thumb of this image."""


def prepare() -> None:
    """Set the limits of the decoders."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow refuses at twice of what it warns of
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = _LARGEST_PROFILE
    PngImagePlugin.MAX_TEXT_MEMORY = _LARGEST_TEXTS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
