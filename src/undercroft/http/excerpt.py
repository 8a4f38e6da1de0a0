"""Excerpts: the first words of a text that may be HTML.

One pass from left to right that stops as soon as there is enough; an unclosed
tag, comment or dropped element swallows what follows, so no input is read twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

_DROPPED_NAMES: Final = (
    "head style script iframe embed applet object svg img picture dialog template"
    " button form textarea input select option"
)
_INLINE_NAMES: Final = (
    "a abbr acronym b bdo big cite code del dfn em i ins kbd label mark q s samp small"
    " span strong sub sup time tt u var wbr font"
)
_DROPPED: Final = frozenset(_DROPPED_NAMES.split())
_INLINE: Final = frozenset(_INLINE_NAMES.split())
_EMPTY: Final = frozenset(("embed", "img", "input"))
_RAW: Final = frozenset(("script", "style", "iframe", "textarea"))  # nothing nests in them
_SCANNED: Final = 256 * 1024  # characters looked at, whatever is asked
_TAG: Final = re.compile(r"</?([a-zA-Z][^\s/>]*)")


def excerpt(text: str, size: int, *, has_ellipsis: bool = False) -> str:
    """At most `size` characters of the text without its HTML, white space collapsed."""
    words, length = [], -1
    is_apart = True
    for piece in _texts(text[:_SCANNED]):
        is_apart = is_apart or piece[:1].isspace()
        for word in piece.split():
            length += len(word) + is_apart
            words.append(" " + word if is_apart else word)
            is_apart = True
            if length > size:
                return "".join(words)[1 : size + 1].strip() + ("..." if has_ellipsis else "")
        is_apart = piece[-1:].isspace() if piece else is_apart
    return "".join(words).strip()


def _texts(text: str) -> Iterator[str]:
    """The text between tags; a space for each tag that breaks the line."""
    at = 0
    while (opening := text.find("<", at)) >= 0:
        yield unescape(text[at:opening])
        tag = _TAG.match(text, opening)
        if tag is None:
            at = _after_markup(text, opening)
            if at == opening:
                yield "<"
                at = opening + 1
            continue
        name = tag[1].lower()
        at = _after_tag(text, tag.end())
        if name in _DROPPED and text[opening + 1] != "/" and name not in _EMPTY:
            at = _after_element(text, name, at)
        elif name not in _INLINE:
            yield " "
    yield unescape(text[at:])


def _after_markup(text: str, opening: int) -> int:
    """Where a comment or declaration ends; its own place when it is none."""
    if text.startswith("<!--", opening):
        return _after(text, "-->", opening + 4)
    if text[opening + 1 : opening + 2] in {"!", "?", "/"}:
        return _after(text, ">", opening)
    return opening


def _after_tag(text: str, at: int) -> int:
    """Where a tag ends; its attributes may quote `>`."""
    while at < len(text):
        char = text[at]
        if char == ">":
            return at + 1
        at = _after(text, char, at + 1) if char in {'"', "'"} else at + 1
    return len(text)


def _after_element(text: str, name: str, at: int) -> int:
    """Where a dropped element ends, counting elements of its name inside."""
    depth, folded = 1, re.compile(rf"<(/?){name}(?=[\s/>])", re.IGNORECASE)
    for tag in folded.finditer(text, at):
        depth += -1 if tag[1] else name not in _RAW
        if depth == 0:
            return _after_tag(text, tag.end())
    return len(text)


def _after(text: str, end: str, start: int) -> int:
    found = text.find(end, start)
    return found + len(end) if found >= 0 else len(text)
