"""Files made to hurt whoever decodes them: small on disk, huge or endless inside."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

MEGABYTE = 1 << 20
KINDS = ("png", "jpeg", "gif", "webp", "avif")


def chunk(name, data=b""):
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width, height, depth=8, color=0):
    """The start of a PNG that claims to be so large."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))


def zeros(size):
    """So many zeros, compressed without ever being there."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(min(MEGABYTE, size - start))) for start in range(0, size, MEGABYTE)]
    return b"".join([*pieces, packer.flush()])


def huge_png(side=16_000):
    """A whole, valid PNG of `side` by `side` black pixels."""
    return header(side, side, depth=1) + chunk(b"IDAT", zeros(side * (side // 8 + 1))) + chunk(b"IEND")


def overfull_png():
    """A PNG of ten by ten pixels whose data goes on for 200 MiB."""
    return header(10, 10) + chunk(b"IDAT", zeros(200 * MEGABYTE)) + chunk(b"IEND")


def text_png():
    """A PNG with a compressed text of 200 MiB."""
    return _small_png(chunk(b"zTXt", b"Comment\0\0" + zeros(200 * MEGABYTE)))


def many_texts_png():
    """A PNG with a hundred compressed texts of 1 MiB."""
    text = zeros(MEGABYTE - 1)
    return _small_png(b"".join(chunk(b"iTXt", b"k%d\0\1\0\0\0" % n + text) for n in range(100)))


def profile_png():
    """A PNG with a colour profile of 200 MiB."""
    return _small_png(chunk(b"iCCP", b"icc\0\0" + zeros(200 * MEGABYTE)))


def animated_png(frames=100_000):
    """An APNG with many frames."""
    control = b"".join(chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 10, 10, 0, 0, 1, 10, 0, 0)) for n in range(frames))
    return _small_png(chunk(b"acTL", struct.pack(">II", frames, 0)) + control)


def animated_gif(frames=100_000):
    """A GIF of many frames of one pixel."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def wide_gif():
    """A GIF of one pixel, on a screen of 65,535 by 65,535."""
    return animated_gif(1).replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 65_535, 65_535), 1)


def spreading_gif():
    """A GIF whose frame is larger than its screen."""
    frame = struct.pack("<HHHH", 0, 0, 1, 1)
    return animated_gif(1).replace(frame, struct.pack("<HHHH", 60_000, 60_000, 5_000, 5_000), 1)


def wordy_gif():
    """A GIF that begins with a million comments."""
    start, frame = animated_gif(1)[:19], animated_gif(1)[19:]
    return start + b"\x21\xfe\x01x\x00" * 1_000_000 + frame


def crumbled_gif():
    """A GIF whose data comes in two million pieces."""
    start = animated_gif(0)[:-1]
    return start + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02" + b"\x01\x44" * 2_000_000 + b"\x00;"


def wide_webp():
    """A WebP whose canvas is 16,383 by 16,383, and its picture small."""
    return animated_webp(1, 16_383)


def animated_webp(frames=20_000, side=10):
    """A WebP with many frames of ten by ten pixels, on a canvas of `side` by `side`."""
    ten, canvas = (10 - 1).to_bytes(3, "little"), (side - 1).to_bytes(3, "little")
    picture = _saved("WEBP", 10, 10)[12:]
    frame = bytes(6) + ten + ten + b"\x0a\0\0\0" + picture
    frame = b"ANMF" + struct.pack("<I", len(frame)) + frame
    start = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + canvas
    body = start + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + frame * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wide_avif():
    """An AVIF that claims to be 16,000 by 16,000."""
    small = _saved("AVIF", 10, 10)
    return small.replace(b"ispe" + struct.pack(">III", 0, 10, 10), b"ispe" + struct.pack(">III", 0, 16_000, 16_000))


def wide_jpeg():
    """A JPEG that claims to be 65,500 by 65,500."""
    small = _saved("JPEG", 10, 10)
    start = small.index(b"\xff\xc0") + 5
    return small[:start] + struct.pack(">HH", 65_500, 65_500) + small[start + 4 :]


def endless_jpeg(scans=2_000):
    """A progressive JPEG of 36 million pixels that goes over them again and again."""
    start = b"\xff\xd8\xff\xc2" + struct.pack(">HBHHBBBB", 11, 8, 6_000, 6_000, 1, 1, 0x11, 0)
    table = b"\xff\xc4" + struct.pack(">HB", 20, 0) + b"\x01" + bytes(15) + b"\x00"
    ac_table = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + b"\x01" + bytes(15) + b"\xe0"
    quantization = b"\xff\xdb" + struct.pack(">HB", 67, 0) + b"\x01" * 64
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(20)
    return start + quantization + table + ac_table + scan * scans + b"\xff\xd9"


def profile_jpeg():
    """A small JPEG with a colour profile of 16 MB."""
    out = BytesIO()
    Image.new("RGB", (200, 100), "red").save(out, "JPEG", icc_profile=bytes(65_000) * 250)
    return out.getvalue()


def truncated(name, left=0.6):
    """The first part of an image."""
    whole = _saved(name, 300, 200)
    return whole[: int(len(whole) * left)]


def looping_svg():
    """An SVG that uses itself ten times, ten levels deep."""
    levels = "".join(f'<g id="l{n}">' + f'<use href="#l{n + 1}"/>' * 10 + "</g>" for n in range(10))
    return f'<svg xmlns="http://www.w3.org/2000/svg">{levels}<use id="l10" href="#l0"/></svg>'.encode()


def tiff():
    """A TIFF, whose decoder nobody asked for."""
    return _saved("TIFF", 200, 100)


def _small_png(extra):
    return header(10, 10) + extra + chunk(b"IDAT", zeros(10 * 11)) + chunk(b"IEND")


def _saved(name, width, height):
    out = BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(out, name)
    return out.getvalue()
