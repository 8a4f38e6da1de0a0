"""Files whose makers hope that a browser runs what is in them, in every disguise that worked somewhere once."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

MARK = "a script ran"
_RUN = f"console.log('{MARK}')"
_SCRIPT = f"<script>{_RUN}</script>"
_HTML = f'<!doctype html><html><head>{_SCRIPT}</head><body onload="{_RUN}"><img src=x onerror="{_RUN}"></body></html>'
_XHTML = "http://www.w3.org/1999/xhtml"
_SVG = "http://www.w3.org/2000/svg"
_ENTITY = f'<!DOCTYPE svg [<!ENTITY run "{_RUN}">]>'
_SHEET = (
    '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?><x><xsl:stylesheet id="s" version="1.0" '
    'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><html xmlns="'
    f'{_XHTML}"><script>{_RUN}</script></html></xsl:template></xsl:stylesheet></x>'
)
_MHTML = (
    'From: <x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; type="text/html"; boundary="b"\r\n\r\n'
    f"--b\r\nContent-Type: text/html\r\nContent-Location: http://x/\r\n\r\n{_HTML}\r\n--b--\r\n"
)
# What a PDF runs, the browser's viewer runs in a cage of its own; this one tries to get out into a page.
_PDF_URL = f"javascript:console.log(%22{MARK}%22)"
_PDF = (
    f"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(console.println('{MARK}');"
    f"app.launchURL('{_PDF_URL}');this.getURL('{_PDF_URL}'))/Next<</S/URI/URI({_PDF_URL})>>>>>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    "trailer<</Root 1 0 R>>\n%%EOF"
)
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf0000000300010018dd8db00000000049454e44ae426082"
)

CONTENTS: dict[str, bytes] = {
    "html": _HTML.encode(),
    "bom.html": b"\xef\xbb\xbf" + _HTML.encode(),
    "blank.html": b" \r\n\t" * 200 + _HTML.encode(),
    "comment.html": b"<!-- " + b"x" * 5000 + b" -->" + _HTML.encode(),
    "late.html": b"words " * 800 + _HTML.encode(),
    "utf-16.html": _HTML.encode("utf-16"),
    "utf-7.html": b'<meta charset="utf-7">+ADw-script+AD4-' + _RUN.encode() + b"+ADw-/script+AD4-",
    "fragment.htm": f'<b>x</b><svg onload="{_RUN}"><iframe srcdoc="{_SCRIPT}"></iframe>'.encode(),
    "refresh.html": f'<meta http-equiv=refresh content="0;url=data:text/html,{_SCRIPT}">'.encode(),
    "svg": f'<svg xmlns="{_SVG}" onload="{_RUN}"><script>{_RUN}</script></svg>'.encode(),
    "xml.svg": f'<?xml version="1.0"?>{_ENTITY}<svg xmlns="{_SVG}"><script>&run;</script></svg>'.encode(),
    "foreign.svg": f'<svg xmlns="{_SVG}"><foreignObject><body xmlns="{_XHTML}">{_HTML[15:]}</body></foreignObject></svg>'.encode(),
    "xhtml": f'<?xml version="1.0"?><html xmlns="{_XHTML}"><script>{_RUN}</script></html>'.encode(),
    "xml": f'<?xml version="1.0"?><a><x:script xmlns:x="{_XHTML}">{_RUN}</x:script></a>'.encode(),
    "xsl.xml": _SHEET.encode(),
    "mhtml": _MHTML.encode(),
    "js": _RUN.encode(),
    "pdf": _PDF.encode(),
    "html.pdf": b"%PDF-1.7\n" + _HTML.encode(),
    "gif": b"GIF89a/*" + b"\0" * 20 + b"*/=0;" + _RUN.encode() + _SCRIPT.encode(),
    "png": _PNG + _HTML.encode(),
    "bmp": b"BM" + _HTML.encode(),
    "wav": b"RIFF\0\0\0\0WAVEfmt " + _HTML.encode(),
    "zip": b"",
}  # fmt: skip
DISGUISES = {
    "as it is": ("x.{end}", ""),
    "picture": ("x.png", "image/png"),
    "no name": ("x", "text/html; charset=utf-7"),
    "dot": ("x.{end}.", "html"),
    "double": ("x.svg.html", "image/svg+xml, text/html"),
}


@dataclass(frozen=True)
class Hostile:
    """A file as it is uploaded: its name, what its maker says it is, and its bytes."""

    label: str
    name: str
    type: str
    content: bytes


def hostile_files() -> Iterator[Hostile]:
    """Every content in every disguise: 120 files."""
    for kind, content in (CONTENTS | {"zip": _archive()}).items():
        for disguise, (name, declared) in DISGUISES.items():
            end = kind.rpartition(".")[2]
            yield Hostile(f"{kind} ({disguise})", name.format(end=end), declared, content)


def _archive() -> bytes:
    """An archive that is also a page."""
    packed = io.BytesIO(_HTML.encode())
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("index.html", _HTML)
    return packed.getvalue()
