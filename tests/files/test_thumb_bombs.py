"""Images made to hurt: no thumb, or a small one, soon, without memory, and others are served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import bombs
import pytest
from kept import keep
from pictures import encode, picture_facts, quarters

from undercroft.files.thumb_pool import ThumbPool
from undercroft.files.thumb_size import parse_size
from undercroft.files.thumbnails import Thumbs

MOST_GROWTH = 64 << 10  # KiB
SIZE = parse_size("100x100")
PNG, GIF, JPEG, WEBP, AVIF = (f"image/{name}" for name in ("png", "gif", "jpeg", "webp", "avif"))
REFUSED = {
    "16,000 by 16,000": (PNG, bombs.huge_png),
    "a text of 200 MiB": (PNG, bombs.text_png),
    "a hundred texts of 1 MiB": (PNG, bombs.many_texts_png),
    "a profile of 200 MiB": (PNG, bombs.profile_png),
    "an APNG of 100,000 frames": (PNG, bombs.animated_png),
    "100,000 frames": (GIF, bombs.animated_gif),
    "a wide screen": (GIF, bombs.wide_gif),
    "a frame beyond its screen": (GIF, bombs.spreading_gif),
    "a million comments": (GIF, bombs.wordy_gif),
    "data in small pieces": (GIF, bombs.crumbled_gif),
    "a wide canvas": (WEBP, bombs.wide_webp),
    "20,000 frames": (WEBP, bombs.animated_webp),
    "a wide AVIF": (AVIF, bombs.wide_avif),
    "a wide JPEG": (JPEG, bombs.wide_jpeg),
    "2,000 scans": (JPEG, bombs.endless_jpeg),
    "a TIFF that says PNG": (PNG, bombs.tiff),
    "a TIFF": ("image/tiff", bombs.tiff),
    "an SVG that uses itself": ("image/svg+xml", bombs.looping_svg),
    "nothing": (PNG, bytes),
    **{f"a part of a {kind}": (f"image/{kind}", lambda kind=kind: bombs.truncated(kind)) for kind in bombs.KINDS},
}
BORNE = {
    "more data than pixels": (PNG, bombs.overfull_png),
    "a profile of 16 MB": (JPEG, bombs.profile_jpeg),
}

pytestmark = pytest.mark.local_only("is about decoders")


@pytest.fixture
async def thumbs(tmp_path):
    opened = Thumbs(tmp_path / "scratch", ThumbPool(2))
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bomb_does_not_go_off(store, tmp_path, thumbs, name):
    """The original of a bomb is served; it takes no memory, and meanwhile others get their thumbs."""
    found = await light(thumbs, store, tmp_path, *REFUSED[name])

    assert found is None


@pytest.mark.parametrize("name", BORNE)
async def test_an_image_with_ballast_has_a_thumb(store, tmp_path, thumbs, name):
    """What is too much of an image is left out, and the rest has a thumb."""
    found = await light(thumbs, store, tmp_path, *BORNE[name])

    assert found is not None


async def light(thumbs, store, tmp_path, media_type, bomb):
    """Ask for the thumb of a bomb and of another image at once: that of the bomb."""
    first, second, third = [await keep_image(store, tmp_path, f"{n}.png", quarters_of(n), PNG) for n in range(3)]
    await asyncio.gather(*(thumbs.find_or_make(store, image, SIZE) for image in (first, second)))
    bomb = await keep_image(store, tmp_path, "bomb", bomb(), media_type)
    workers = [worker._process.pid for worker in thumbs._pool._idle]
    before = {pid: peak(pid) for pid in workers}

    async with asyncio.timeout(10):
        found, other = await asyncio.gather(*(thumbs.find_or_make(store, image, SIZE) for image in (bomb, third)))

    assert other is not None
    assert [pid for pid in workers if peak(pid) - before[pid] > MOST_GROWTH] == []
    return found


def peak(pid):
    """The most memory that a process ever had, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def quarters_of(n):
    return encode(quarters(200 + n, 100))


async def keep_image(store, tmp_path, name, content, media_type):
    return await keep(store, tmp_path, f"c/r/{name}", content, picture_facts(content, media_type))
