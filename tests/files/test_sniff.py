"""What a file is, by its content alone."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from random import Random

import pytest
from PIL import Image

from undercroft.files.media_types import EXTENSIONS
from undercroft.files.sniff import HEAD, extension_for, matches_type, media_type

OFFICE = "application/vnd.openxmlformats-officedocument."


def picture(kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (3, 2)).save(target, kind)
    return target.getvalue()


def zipped(*names: str, content: bytes = b"x") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return target.getvalue()


def film(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\2\0" + brand + b"isom"


def ogg(content: bytes) -> bytes:
    return b"OggS\0\2" + bytes(20) + b"\1" + bytes([len(content)]) + content


BINARY = [
    (picture("PNG"), "image/png"),
    (picture("JPEG"), "image/jpeg"),
    (picture("GIF"), "image/gif"),
    (picture("WEBP"), "image/webp"),
    (picture("BMP"), "image/bmp"),
    (picture("TIFF"), "image/tiff"),
    (picture("AVIF"), "image/avif"),
    (picture("JPEG2000"), "image/jp2"),
    (picture("PNG")[:37] + b"acTL", "image/apng"),
    (film(b"heic"), "image/heic"),
    (film(b"qt  "), "video/quicktime"),
    (film(b"3gp5"), "video/3gpp"),
    (film(b"M4A "), "audio/x-m4a"),
    (film(b"isom"), "video/mp4"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", "video/matroska"),
    (ogg(b"\1vorbis"), "audio/ogg"),
    (ogg(b"\x80theora"), "video/ogg"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
    (b"ID3\3" + bytes(9), "audio/mpeg"),
    (b"\xff\xfb\x90\x44" + bytes(9), "audio/mpeg"),
    (b"fLaC\0\0\0\x22" + bytes(9), "audio/flac"),
    (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
    (b"\n\n%PDF-1.7", "application/pdf"),
    (zipped("a.txt"), "application/zip"),
    (zipped(), "application/zip"),
    (zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), f"{OFFICE}wordprocessingml.document"),
    (zipped("[Content_Types].xml", "xl/workbook.xml"), f"{OFFICE}spreadsheetml.sheet"),
    (zipped("[Content_Types].xml", "ppt/presentation.xml"), f"{OFFICE}presentationml.presentation"),
    (zipped("mimetype", content=b"application/epub+zip"), "application/epub+zip"),
    (zipped("mimetype", content=b"application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text"),
    (zipped("META-INF/MANIFEST.MF"), "application/java-archive"),
    (tarred(), "application/x-tar"),
    (b"\x1f\x8b\x08\0", "application/gzip"),
    (b"SQLite format 3\0" + bytes(80), "application/vnd.sqlite3"),
    (b"MZ\x90\0" + bytes(60), "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF\2\1\1\0" + bytes(8) + b"\2\0", "application/x-executable"),
    (b"wOF2\0\1\0\0", "font/woff2"),
    (bytes(100), "application/octet-stream"),
    (b"a\0b", "application/octet-stream"),
    (b"BM is no picture", "text/plain; charset=utf-8"),
]
TEXT = [
    ("", "text/plain"),
    ("hello", "text/plain; charset=utf-8"),
    ("Grüße", "text/plain; charset=utf-8"),
    ("\ufeffhello", "text/plain; charset=utf-8"),
    ("\x1b[31mred", "text/plain; charset=utf-8"),
    ("bell \x07", "application/octet-stream"),
    ('{"a": [1, null]}', "application/json"),
    (" [1, 2] ", "application/json"),
    ('{"a": 1', "text/plain; charset=utf-8"),
    ('"text"', "text/plain; charset=utf-8"),
    ('{"a":1}\n{"b":2}\n', "application/x-ndjson"),
    ('{"type":"FeatureCollection","features":[]}', "application/geo+json"),
    ("<!DOCTYPE html><p>", "text/html; charset=utf-8"),
    ("\n <HTML >", "text/html; charset=utf-8"),
    ("<script>alert(1)</script>", "text/html; charset=utf-8"),
    ("<iframe src=x>", "text/html; charset=utf-8"),
    ("<!-- x --><p>", "text/html; charset=utf-8"),
    ('<html><meta charset="windows-1251">', "text/html; charset=windows-1251"),
    ("<abc>", "text/plain; charset=utf-8"),
    ("<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    ("<?xml version='1.0'?><!-- x --><!DOCTYPE svg><svg>", "image/svg+xml"),
    ("\n<!-- x --><SVG onload=alert(1)>", "image/svg+xml"),
    ("<?xml version='1.0'?><a/>", "text/xml; charset=utf-8"),
    ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "text/xml; charset=ISO-8859-1"),
    ("<?xml version='1.0'?><rss version='2.0'/>", "application/rss+xml"),
    ("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "application/xhtml+xml"),
    ("a,b\n1,2\n", "text/csv"),
    ("a,b\n1,2,3\n", "text/plain; charset=utf-8"),
    ("a\tb\n1\t2\n", "text/tab-separated-values"),
    ("WEBVTT\n\n", "text/vtt"),
    ("BEGIN:VCARD\nVERSION:3.0\n", "text/vcard"),
    ("#!/usr/bin/env python3\n", "text/x-python"),
    ("#!/bin/sh\n", "text/x-shellscript"),
    ("<?php echo 1;", "text/x-php"),
    ("From: a@example.com\nSubject: x\n\n", "message/rfc822"),
]
OTHER_CHARACTERS = [
    ("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1"),
    ("“x”".encode("cp1252"), "text/plain"),
    ("\ufeffhi".encode("utf-16-le"), "text/plain; charset=utf-16le"),
    ("\ufeffhi".encode("utf-16-be"), "text/plain; charset=utf-16be"),
    (("a" + "é" * HEAD).encode(), "text/plain; charset=utf-8"),
]
SLOW = [
    b"<!---->" * 438 + b"x",
    b"<!--" * 768,
    b"<html>" + b"<meta " * 500,
    b"<?xml " * 512,
    b"#!/" + b"a/" * 1500,
    b"[" * HEAD,
    b'["' + b'\\"' * 1535,
    b'"' * HEAD,
    b"a,b\n" * 768,
    b"From: x\n" * 384,
]


@pytest.mark.parametrize(("head", "mime"), BINARY + OTHER_CHARACTERS, ids=lambda value: repr(value)[:30])
def test_files(head, mime):
    """A file shows what it is by fixed bytes, or by what is in it."""
    assert media_type(head) == mime


@pytest.mark.parametrize(("text", "mime"), TEXT)
def test_texts(text, mime):
    """Text is told apart from markup, data and programs."""
    assert media_type(text.encode()) == mime


def test_only_the_head_counts():
    """A file that is longer is judged by its beginning, also where that ends inside a word."""
    assert media_type(b'{"list": [' + b'{"name": "value", "n": 1.5},' * 200) == "application/json"
    assert media_type(b'{"list": [' + b'{"name": "value" oops' * 200) == "text/plain; charset=utf-8"
    assert media_type(b"a,b\n" * 800 + b"1,2,3") == "text/csv"
    assert media_type(b"a" * HEAD + b"\0") == "text/plain; charset=utf-8"


def test_any_bytes_are_something():
    """No content whatever makes the sniffer fail."""
    chance = Random(7)
    starts = [head for head, _ in BINARY] + [text.encode() for text, _ in TEXT]
    for _ in range(3000):
        head = chance.choice(starts)
        cut = head[: chance.randint(0, len(head))] + chance.randbytes(chance.randint(0, 40))
        assert "/" in media_type(cut)


@pytest.mark.parametrize("head", SLOW, ids=lambda head: repr(head[:12]))
def test_no_content_takes_long(head):
    """Content that is made to keep a sniffer busy does not: a hundred times take less than a deadline."""
    until = time.monotonic() + 5
    for _ in range(100):
        media_type(head)
        assert time.monotonic() < until


def test_matching():
    """An allowed type is the very type, whatever its letter case and parameters; there are no wildcards."""
    assert matches_type("text/plain; charset=utf-8", "TEXT/plain")
    assert matches_type("text/plain", "text/plain; charset=utf-8")
    assert not matches_type("image/png", "image/*")
    assert not matches_type("text/html; charset=utf-8", "text/plain")


def test_extensions():
    """Every type has one extension, which is one that names may have."""
    assert extension_for("text/plain; charset=utf-8") == ".txt"
    assert extension_for("application/octet-stream") == ""
    assert all(extension.startswith(".") and extension[1:].isalnum() for extension in EXTENSIONS.values())
