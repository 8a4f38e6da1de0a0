"""The text of an HTML letter, for those who read without HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_UNSEEN: Final = frozenset(("head", "style", "script", "title", "template"))
_BLOCKS: Final = frozenset(
    ("p", "div", "section", "article", "header", "footer", "table", "tr", "ul", "ol", "blockquote", "pre", "hr", "li")
) | frozenset(f"h{number}" for number in range(1, 7))
_APART: Final = frozenset(("p", "table", "ul", "ol", "blockquote", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6"))
_SPACES: Final = re.compile(r"[ \t\r\f\v\n]+")
_LINE, _PARAGRAPH = "\x01", "\x02"  # where one must end; several in a row are one
_ENDS: Final = re.compile(r"[ \n\x01\x02]*[\x01\x02][ \n\x01\x02]*")


def plain_text(html: str) -> str:
    """What an HTML text says: a paragraph each, links with their address behind them."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = _ENDS.sub(lambda found: "\n\n" if _PARAGRAPH in found[0] else "\n", "".join(reader.parts))
    return "\n".join(line.strip() for line in text.strip().split("\n")) + "\n"


class _Reader(HTMLParser):
    """Collects the words."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.parts)))
        elif tag in _BLOCKS:
            self._break(tag)
            if tag == "li":
                self.parts.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in _BLOCKS:
            self._break(tag)
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(_SPACES.sub(" ", data.replace(_LINE, "").replace(_PARAGRAPH, "")))

    def _break(self, tag: str) -> None:
        self.parts.append(_PARAGRAPH if tag in _APART else _LINE)

    def _end_link(self, address: str, start: int) -> None:
        label = "".join(self.parts[start:]).strip()
        shown = address.removeprefix("mailto:")
        if shown and shown != label and not shown.startswith("#"):
            self.parts.append(f": {shown}" if label else shown)
