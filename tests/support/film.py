"""A film to watch: drawn and encoded by the browser, and put into a WebM file that can be sought in."""

from __future__ import annotations

import struct
from base64 import b64decode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_WIDTH, _HEIGHT, _RATE = 480, 360, 8
_ENCODE = """
async ([width, height, rate, seconds]) => {
  const frames = []
  const encoder = new VideoEncoder({
    output: chunk => {
      const bytes = new Uint8Array(chunk.byteLength)
      chunk.copyTo(bytes)
      let text = ""
      for (let at = 0; at < bytes.length; at += 30000) text += String.fromCharCode(...bytes.subarray(at, at + 30000))
      frames.push([chunk.type === "key", btoa(text)])
    },
    error: error => { throw error },
  })
  encoder.configure({codec: "vp8", width, height, framerate: rate, bitrate: 8_000_000})
  const canvas = new OffscreenCanvas(width, height)
  const pen = canvas.getContext("2d")
  const noise = pen.createImageData(width, height)
  for (let n = 0; n < seconds * rate; n++) {
    for (let at = 0; at < noise.data.length; at += 65536) crypto.getRandomValues(noise.data.subarray(at, at + 65536))
    pen.putImageData(noise, 0, 0)
    pen.font = "200px serif"
    pen.fillText(n, 20, 300)
    const frame = new VideoFrame(canvas, {timestamp: n * 1e6 / rate, duration: 1e6 / rate})
    encoder.encode(frame, {keyFrame: n % rate === 0})
    frame.close()
    await new Promise(done => setTimeout(done))
  }
  await encoder.flush()
  return frames
}
"""


def make_film(page: Page, seconds: int) -> bytes:
    """A film of that length, of about a megabyte a second: noise, which no encoder makes small, and a number."""
    frames = page.evaluate(_ENCODE, [_WIDTH, _HEIGHT, _RATE, seconds])
    clusters = [_cluster(second, frames[second * _RATE : (second + 1) * _RATE]) for second in range(seconds)]
    head = _info(seconds) + _tracks()
    position = len(head) + len(_cues([0] * seconds))
    positions = [position + sum(map(len, clusters[:second])) for second in range(seconds)]
    return _ebml() + _element("18538067", head + _cues(positions) + b"".join(clusters))


def _element(kind: str, content: bytes) -> bytes:
    return bytes.fromhex(kind) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _number(kind: str, number: int) -> bytes:
    return _element(kind, number.to_bytes(8, "big"))


def _ebml() -> bytes:
    numbers = {"4286": 1, "42F7": 1, "42F2": 4, "42F3": 8, "4287": 2, "4285": 2}
    return _element("1A45DFA3", b"".join(_number(*each) for each in numbers.items()) + _element("4282", b"webm"))


def _info(seconds: int) -> bytes:
    names = _element("4D80", b"tests") + _element("5741", b"tests")
    return _element(
        "1549A966", _number("2AD7B1", 1_000_000) + _element("4489", struct.pack(">d", seconds * 1000)) + names
    )


def _tracks() -> bytes:
    size = _element("E0", _number("B0", _WIDTH) + _number("BA", _HEIGHT))
    return _element("1654AE6B", _element("AE", _number("D7", 1) + _number("73C5", 1) + _number("83", 1) + _element("86", b"V_VP8") + size))  # fmt: skip


def _cues(positions: list[int]) -> bytes:
    """Where each second begins."""
    points = (
        _element("BB", _number("B3", second * 1000) + _element("B7", _number("F7", 1) + _number("F1", position)))
        for second, position in enumerate(positions)
    )
    return _element("1C53BB6B", b"".join(points))


def _cluster(second: int, frames: list[tuple[bool, str]]) -> bytes:
    blocks = (
        _element("A3", b"\x81" + struct.pack(">hB", n * 1000 // _RATE, 0x80 if is_key else 0) + b64decode(frame))
        for n, (is_key, frame) in enumerate(frames)
    )
    return _element("1F43B675", _number("E7", second * 1000) + b"".join(blocks))
