"""Kinds of files that show themselves by fixed bytes, and containers by what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from undercroft.files.media_types import DOCX, PPTX, XLSX

_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"gimp xcf", "image/x-xcf"),
    (b"#?RADIANCE\n", "image/vnd.radiance"),
    (b"/* XPM */", "image/x-xpixmap"),
    (b"BPG\xfb", "image/bpg"),
    (b"icns", "image/x-icns"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"\0\0\2\0", "image/x-icon"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"MThd", "audio/midi"),
    (b"#!AMR", "audio/amr"),
    (b"MPCK", "audio/musepack"),
    (b".snd", "audio/basic"),
    (b"#EXTM3U", "application/vnd.apple.mpegurl"),
    (b"FLV\1", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", "video/x-ms-asf"),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"ZWS", "application/x-shockwave-flash"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"{\\rtf", "text/rtf"),
    (b"%FDF", "application/vnd.fdf"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OTTO", "font/otf"),
    (b"\0\1\0\0\0", "font/ttf"),
    (b"ttcf", "font/collection"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07\0", "application/vnd.rar"),
    (b"Rar!\x1a\x07\1\0", "application/vnd.rar"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"LZIP", "application/lzip"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "application/x-archive"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"070701", "application/x-cpio"),
    (b"070702", "application/x-cpio"),
    (b"070707", "application/x-cpio"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\0asm", "application/wasm"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\xca\xfe\xba\xbe\0\0\0", "application/x-java-applet"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"glTF\1\0\0\0", "model/gltf-binary"),
    (b"glTF\2\0\0\0", "model/gltf-binary"),
    (b"\x4c\0\0\0\1\x14\2\0", "application/x-ms-shortcut"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"SIMPLE  =                    T", "application/fits"),
)
_BRANDS: Final[Mapping[bytes, str]] = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"mif1": "image/heif",
    b"heim": "image/heif",
    b"heis": "image/heif",
    b"avic": "image/heif",
    b"msf1": "image/heif-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/x-m4a",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
    b"F4A ": "audio/mp4",
    b"F4B ": "audio/mp4",
    b"MSNV": "audio/mp4",
    b"NDAS": "audio/mp4",
    b"M4V ": "video/x-m4v",
    b"M4VH": "video/x-m4v",
    b"M4VP": "video/x-m4v",
}
_JPEG_2000: Final[Mapping[bytes, str]] = {b"jp2 ": "image/jp2", b"jpx ": "image/jpx", b"jpm ": "image/jpm"}
_RIFF: Final[Mapping[bytes, str]] = {
    b"WAVE": "audio/wav",
    b"AVI ": "video/x-msvideo",
    b"QLCM": "audio/qcelp",
}
_ELF: Final[Mapping[int, str]] = {2: "application/x-executable", 3: "application/x-sharedlib"}
_QUICKTIME: Final = (b"moov", b"mdat", b"free", b"skip", b"pnot", b"wide")
_DWG: Final = re.compile(rb"AC10(?:0[0-46-9]|1[0-58]|2[147]|32)|AC(?:1\.[245]|2\.(?:10|2[12]))")
_OPEN: Final = "application/vnd.oasis.opendocument."


def sniff_binary(head: bytes) -> str | None:
    """The media type of a file that is no text, by its first bytes; None when it may be text, or is unknown."""
    for start, mime in _STARTS:
        if head.startswith(start):
            return mime
    first = _CONTAINERS.get(head[:4])
    return (first(head) if first else None) or _further_in(head)


def _further_in(head: bytes) -> str | None:
    """Kinds whose mark does not stand at the very beginning."""
    if head[4:8] == b"ftyp":
        return _ftyp(head[8:12])
    if head[4:8] in _QUICKTIME:
        return "video/quicktime"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head[128:132] == b"DICM":
        return "application/dicom"
    if head[60:68] == b"BOOKMOBI":
        return "application/x-mobipocket-ebook"
    if head[34:36] == b"LP" and head[8:11] in (b"\0\0\1", b"\1\0\2", b"\2\0\2"):
        return "application/vnd.ms-fontobject"
    if head[:2] == b"BM" and len(head) > 14 and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    return "image/vnd.dwg" if _DWG.match(head[:6]) else None


def _ftyp(brand: bytes) -> str:
    if brand[:3] == b"3gp":
        return "video/3gpp"
    return "video/3gpp2" if brand[:3] == b"3g2" else _BRANDS.get(brand, "video/mp4")


def _png(head: bytes) -> str | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return "image/apng" if head[37:41] == b"acTL" else "image/png"


def _riff(head: bytes) -> str | None:
    if head[8:14] in (b"WEBPVP", b"WEBPVP8"):
        return "image/webp"
    return _RIFF.get(head[8:12])


def _ogg(head: bytes) -> str | None:
    content = head[28:]
    if content.startswith((b"\x7fFLAC", b"\1vorbis", b"OpusHead", b"Speex   ")):
        return "application/ogg" if content[:1] == b"\x7f" else "audio/ogg"
    return "video/ogg" if content.startswith((b"\x80theora", b"fishead\0", b"\1video\0\0\0")) else "application/ogg"


def _matroska(head: bytes) -> str | None:
    if b"webm" in head[:4096]:
        return "video/webm"
    return "video/matroska" if b"matroska" in head[:4096] else None


def _zip(head: bytes) -> str:
    names = list(_zip_names(head))
    if names[:1] == [b"mimetype"]:
        content = head[38:100]
        kinds = ("text", "spreadsheet", "presentation", "graphics")
        known = ("application/epub+zip", *(_OPEN + kind for kind in kinds))
        return next((mime for mime in known if content.startswith(mime.encode())), "application/zip")
    for name in names:
        for start, mime in _ZIPPED:
            if name.startswith(start):
                return mime
    return "application/zip"


def _zip_names(head: bytes) -> list[bytes]:
    """The names of the files that begin in the head."""
    found = []
    at = head.find(b"PK\3\4")
    while at >= 0 and len(head) >= at + 30:
        length = int.from_bytes(head[at + 26 : at + 28], "little")
        found.append(head[at + 30 : at + 30 + length])
        at = head.find(b"PK\3\4", at + 30 + length)
    return found


def _elf(head: bytes) -> str | None:
    return _ELF.get(int.from_bytes(head[16:18], "little" if head[5:6] == b"\1" else "big"), "application/x-executable")


def _ole(head: bytes) -> str:
    return "application/msword" if head[512:516] == b"\xec\xa5\xc1\0" and len(head) > 2000 else _OLE


def _aiff(head: bytes) -> str | None:
    return "audio/aiff" if head[8:12] == b"AIFF" else None


def _djvu(head: bytes) -> str | None:
    return "image/vnd.djvu" if head.startswith(b"AT&TFORM") and head[12:14] == b"DJ" else None


def _jpeg_2000(head: bytes) -> str | None:
    return _JPEG_2000.get(head[20:24]) if head[4:8] in (b"jP  ", b"jP2 ") else None


_OLE: Final = "application/x-ole-storage"
_ZIPPED: Final = (
    (b"word/", DOCX),
    (b"xl/", XLSX),
    (b"ppt/", PPTX),
    (b"visio/", "application/vnd.ms-visio.drawing.main+xml"),
    (b"AndroidManifest.xml", "application/vnd.android.package-archive"),
    (b"META-INF/MANIFEST.MF", "application/java-archive"),
    (b"doc.kml", "application/vnd.google-earth.kmz"),
)
_CONTAINERS: Final[Mapping[bytes, Callable[[bytes], str | None]]] = {
    b"\x89PNG": _png,
    b"RIFF": _riff,
    b"OggS": _ogg,
    b"\x1a\x45\xdf\xa3": _matroska,
    b"PK\3\4": _zip,
    b"PK\5\6": _zip,
    b"PK\7\x08": _zip,
    b"\x7fELF": _elf,
    b"\xd0\xcf\x11\xe0": _ole,
    b"FORM": _aiff,
    b"AT&T": _djvu,
    b"\0\0\0\x0c": _jpeg_2000,
}
