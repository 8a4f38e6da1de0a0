"""Kinds of text: markup, data, scripts, or plain, and in which characters it is written."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import msgspec

_BOMS: Final = (
    (b"\xff\xfe\0\0", "utf-32le"),
    (b"\0\0\xfe\xff", "utf-32be"),
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
)
_UTF8_BOM: Final = b"\xef\xbb\xbf"
# What no text has: https://mimesniff.spec.whatwg.org/#binary-data-byte
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_NOT_LATIN: Final = re.compile(rb"[\x80-\x9f]")
# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
_HTML: Final = re.compile(
    rb"[\t\n\x0c\r ]*(?:<!--|<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)"
    rb"[ >])",
    re.IGNORECASE,
)
# Possessive and atomic, so that a thousand comments are gone through once.
_COMMENTS: Final = rb"(?:<!--(?>.*?-->)\s*)*+"
_BEFORE_ROOT: Final = rb"\s*+(?:<\?xml[^>]*+>\s*+)?" + _COMMENTS + rb"(?:<!doctype[^>]*+>\s*+)?" + _COMMENTS
_SVG: Final = re.compile(_BEFORE_ROOT + rb"<(?:svg:)?svg[\s/>]", re.DOTALL | re.IGNORECASE)
_ROOT: Final = re.compile(_BEFORE_ROOT + rb"<([\w:.-]+)([^>]*)", re.DOTALL | re.IGNORECASE)
_XML_CHARSET: Final = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]+)["']""")
_HTML_CHARSET: Final = re.compile(rb"""<meta[^>]*?charset\s*=\s*["']?\s*([\w.-]+)""", re.IGNORECASE)
_XML_KINDS: Final[tuple[tuple[bytes, bytes, str], ...]] = (
    (b"rss", b"", "application/rss+xml"),
    (b"feed", b"http://www.w3.org/2005/Atom", "application/atom+xml"),
    (b"kml", b"http://www.opengis.net/kml/2.2", "application/vnd.google-earth.kml+xml"),
    (b"gpx", b"http://www.topografix.com/GPX/1/1", "application/gpx+xml"),
    (b"html", b"http://www.w3.org/1999/xhtml", "application/xhtml+xml"),
    (b"COLLADA", b"http://www.collada.org/2005/11/COLLADASchema", "model/vnd.collada+xml"),
    (b"X3D", b"http://www.w3.org/2001/XMLSchema-instance", "model/x3d+xml"),
    (b"xliff", b"urn:oasis:names:tc:xliff:document:1.2", "application/x-xliff+xml"),
    (b"Ontology", b"http://www.w3.org/2002/07/owl#", "application/owl+xml"),
)
_SHEBANG: Final = re.compile(
    rb"#!\s*/\S*?(?:bin/env\s+)?(?:\S*/)?(python|perl|php|node|ruby|lua|tclsh|wish|sh|bash|zsh)\d*\s"
)
_LONGEST_SHEBANG: Final = 128
_SCRIPTS: Final[Mapping[bytes, str]] = {
    b"python": "text/x-python",
    b"perl": "text/x-perl",
    b"php": "text/x-php",
    b"node": "text/javascript",
    b"ruby": "text/x-ruby",
    b"lua": "text/x-lua",
    b"tclsh": "text/x-tcl",
    b"wish": "text/x-tcl",
}
_STARTS: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = tuple(
    (re.compile(pattern), mime)
    for pattern, mime in (
        (rb"\s*<\?(?:php|PHP)\s", "text/x-php"),
        (rb"BEGIN:VCARD\r?\n", "text/vcard"),
        (rb"BEGIN:VCALENDAR\r?\n", "text/calendar"),
        (rb"WEBVTT(?:[\s]|$)", "text/vtt"),
        (rb"\s*1\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> \d\d:\d\d:\d\d[,.]\d{3}", "application/x-subrip"),
        (rb"d8:announce", "application/x-bittorrent"),
        (rb"WARC/1\.[01]\r?\n", "application/warc"),
        (rb"-----BEGIN PKCS7-----", "application/pkcs7-signature"),
        (
            rb"(?:From|To|Date|Received|Return-Path|Message-ID|Delivered-To|MIME-Version): [^\n]*\n[A-Za-z-]+: ",
            "message/rfc822",
        ),
    )
)
_JSON_TOKEN: Final = re.compile(
    rb'\s+|[{}\[\],:]|"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null', re.DOTALL
)
_JSON_CUT: Final = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*\\?|-|t(?:ru?)?|f(?:al?s?)?|n(?:ul?)?', re.DOTALL)
_GEOMETRY: Final = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
_GEOJSON: Final = frozenset((*_GEOMETRY, "Feature", "FeatureCollection", "GeometryCollection"))


def sniff_text(head: bytes, *, is_whole: bool) -> str | None:
    """The media type of text by its beginning, which may be all of it; None for what is no text."""
    for bom, charset in _BOMS:
        if head.startswith(bom):
            return f"text/plain; charset={charset}"
    text = head.removeprefix(_UTF8_BOM)
    if _BINARY.search(text):
        return None
    return (
        _markup(text)
        or _start(text)
        or (_json(head, is_whole=is_whole) or _table(head, is_whole=is_whole))
        or _plain(head)
    )


def _markup(text: bytes) -> str | None:
    if _SVG.match(text):
        return "image/svg+xml"
    if text.lstrip()[:6].lower() == b"<?xml ":
        return _xml(text)
    if _HTML.match(text):
        charset = _HTML_CHARSET.search(text[:1024])
        return f"text/html; charset={charset[1].decode().lower() if charset else 'utf-8'}"
    return None


def _xml(text: bytes) -> str:
    root = _ROOT.match(text)
    for name, mark, mime in _XML_KINDS:
        if root and root[1] == name and mark in root[2]:
            return mime
    charset = _XML_CHARSET.match(text.lstrip())
    return f"text/xml; charset={charset[1].decode() if charset else 'utf-8'}"


def _start(text: bytes) -> str | None:
    script = _SHEBANG.match(text[:_LONGEST_SHEBANG])
    if script:
        return _SCRIPTS.get(script[1], "text/x-shellscript")
    return next((mime for pattern, mime in _STARTS if pattern.match(text)), None)


def _plain(head: bytes) -> str:
    charset = _charset(head)
    return f"text/plain; charset={charset}" if charset else "text/plain"


def _charset(head: bytes) -> str:
    if not head:
        return ""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        is_cut = error.start >= len(head) - 3 and error.reason == "unexpected end of data"
        if not is_cut or error.start == 0:
            return "" if _NOT_LATIN.search(head) else "iso-8859-1"
    return "utf-8"


def _json(head: bytes, *, is_whole: bool) -> str | None:
    if head.lstrip()[:1] not in (b"{", b"["):
        return None
    if not is_whole:
        return "application/json" if _looks_like_json(head) else None
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _json_kind(msgspec.json.decode(head))
    lines = head.strip().split(b"\n")
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        values = [msgspec.json.decode(line) for line in lines]
        return "application/x-ndjson" if len(values) > 1 and all(isinstance(v, dict | list) for v in values) else None
    return None


def _json_kind(value: Any) -> str:
    if isinstance(value, dict):
        asset = value.get("asset")
        if value.get("type") in _GEOJSON:
            return "application/geo+json"
        if isinstance(asset, dict) and asset.get("version") in ("1.0", "2.0"):
            return "model/gltf+json"
    return "application/json"


def _looks_like_json(head: bytes) -> bool:
    """Whether all of a cut text are words of JSON; the last one may be cut too."""
    at = 0
    while at < len(head):
        token = _JSON_TOKEN.match(head, at)
        if token is None:
            cut = _JSON_CUT.match(head, at)
            return cut is not None and cut.end() == len(head)
        at = token.end()
    return True


def _table(head: bytes, *, is_whole: bool) -> str | None:
    """Lines of equally many values, at least two of each."""
    lines = head.decode("utf-8", "replace").splitlines()
    if not is_whole:
        lines = lines[:-1]
    for delimiter, mime in ((",", "text/csv"), ("\t", "text/tab-separated-values")):
        with suppress(csv.Error):
            rows = [row for row in csv.reader(islice(lines, 100), delimiter=delimiter, strict=True) if row]
            if len(rows) > 1 and len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
                return mime
    return None
