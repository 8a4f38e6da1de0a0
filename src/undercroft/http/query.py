"""Query strings: the first value of each name."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def parse_query(raw: bytes) -> dict[str, str]:
    """The parameters of a query string; the first value of a name wins, `+` is a space.

    Bytes that are no UTF-8 become U+FFFD. A pair with a bare semicolon is left out,
    as it means two pairs to some and one to others.
    """
    plain = b"%" not in raw and b"+" not in raw
    read = bytes.decode if plain and raw.isascii() else _unescape
    found: dict[str, str] = {}
    for pair in raw.split(b"&"):
        if pair and b";" not in pair:
            name, _, value = pair.partition(b"=")
            found.setdefault(read(name), read(value))
    return found


def parse_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Every pair of an urlencoded form, in order."""
    pairs = (pair.partition(b"=") for pair in raw.split(b"&") if pair)
    return [(_unescape(name), _unescape(value)) for name, _, value in pairs]


def _unescape(raw: bytes) -> str:
    spaced = raw.replace(b"+", b" ")
    return (unquote_to_bytes(spaced) if b"%" in spaced else spaced).decode(errors="replace")
