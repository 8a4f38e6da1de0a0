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

from PIL import AvifImagePlugin, Image, ImageCms, ImageFile, PngImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from undercroft.files.opened import open_sealed
from undercroft.files.thumb_frames import check_blocks
from undercroft.files.thumb_jobs import Job, SealedAs
from undercroft.files.thumb_size import Size, cut, scaled

MOST_PIXELS: Final = 40_000_000

_LARGEST_PROFILE: Final = 4 << 20
_LARGEST_TEXTS: Final = 8 << 20
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
# The decoders that may be used, and how thumbs of their type are written.
_FORMATS: Final[Mapping[str, tuple[type[ImageFile.ImageFile], Mapping[str, Any]]]] = {
    "image/avif": (AvifImageFile, {"quality": 70, "speed": 7, "max_threads": 1}),
    "image/gif": (GifImageFile, {}),
    "image/jpeg": (JpegImageFile, {"quality": 85, "optimize": True}),
    "image/png": (PngImageFile, {}),
    "image/webp": (WebPImageFile, {"quality": 82, "method": 4}),
}


class TooManyPixels(Exception):
    """A thumb of that size is too large."""


def prepare() -> None:
    """Set the limits of the decoders."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow refuses at twice of what it warns of
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = _LARGEST_PROFILE
    PngImagePlugin.MAX_TEXT_MEMORY = _LARGEST_TEXTS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def make_thumb(job: Job) -> None:
    """Write the thumb that a job asks for.

    Raises `TooManyBlocks` and `TooManyPixels` for what is too large, and whatever a decoder raises for what is broken.
    """
    with _open_source(job) as source:
        image = _open(source, job.type)
        profile = image.info.get("icc_profile")
        small = _to_srgb(_resize(image, job.size), profile)
    kind, options = _FORMATS[job.type]
    kept = _with_hard_edges(small) if kind is GifImageFile else small
    kept.info = {}
    content = BytesIO()
    kept.save(content, kind.format, **options)
    Path(job.target).write_bytes(_sealed(content.getbuffer(), job.target_sealed))


def _open_source(job: Job) -> IO[bytes]:
    path = Path(job.source)
    return path.open("rb") if job.source_sealed is None else open_sealed(path, job.source_sealed)


def _sealed(content: memoryview, sealed: SealedAs | None) -> bytes | memoryview:
    if sealed is None:
        return content
    sealer = sealed.lock.sealer()
    return sealer.feed(content) + sealer.finish()


def _open(source: IO[bytes], media_type: str) -> ImageFile.ImageFile:
    check_blocks(source, media_type)
    source.seek(0)
    kind, _ = _FORMATS[media_type]
    return Image.open(source, formats=(str(kind.format),))


def _resize(image: ImageFile.ImageFile, size: Size) -> Image.Image:
    orientation = image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1
    width, height = reversed(image.size) if orientation in _SIDEWAYS else image.size
    target = scaled(size, width, height)
    if target[0] * target[1] > MOST_PIXELS:
        raise TooManyPixels(f"The thumb would be {target[0]} by {target[1]} pixels.")
    turned = _turn(_load_reduced(image, _ratio(size, width, height)), orientation)
    return turned.resize(target, Image.Resampling.LANCZOS, cut(size, *turned.size))


def _ratio(size: Size, width: int, height: int) -> float:
    """How many pixels of an image become one of its thumb, along a side."""
    left, top, right, bottom = cut(size, width, height)
    target = scaled(size, width, height)
    return min((right - left) / target[0], (bottom - top) / target[1])


def _load_reduced(image: ImageFile.ImageFile, ratio: float) -> Image.Image:
    """The decoded image, smaller by a whole factor if that leaves enough of it."""
    full = image.width
    factor = ratio / _ENOUGH
    if factor > 1:
        image.draft(image.mode, (max(1, int(image.width / factor)), max(1, int(image.height / factor))))
    image.load()
    rest = int(factor * image.width / full)
    plain = _plain(image)
    return plain.reduce(rest) if rest > 1 else plain


def _plain(image: Image.Image) -> Image.Image:
    """The image in a mode that one can calculate with: L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and len(profile) <= _LARGEST_PROFILE:
        try:
            return _convert_profile(image, profile)
        except (ImageCms.PyCMSError, OSError):
            return _without_ink(image)
    return _without_ink(image)


def _convert_profile(image: Image.Image, profile: bytes) -> Image.Image:
    meant = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    converted = ImageCms.profileToProfile(image, meant, ImageCms.createProfile("sRGB"), outputMode=mode)
    if converted is None:
        return image
    return converted.convert("L") if image.mode == "L" else converted


def _without_ink(image: Image.Image) -> Image.Image:
    return image.convert("RGB") if image.mode == "CMYK" else image


def _with_hard_edges(image: Image.Image) -> Image.Image:
    """The image with every pixel either opaque or transparent, as a GIF knows it."""
    if image.mode != "RGBA":
        return image
    image.putalpha(image.getchannel("A").point(lambda value: 255 if value >= 128 else 0))
    return image
