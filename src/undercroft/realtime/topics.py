"""What a client wants to hear of: `posts/*`, `posts/RECORD_ID`, each with options if wanted.

    posts/*?options={"query": {"filter": "views > 9", "expand": "author"}, "headers": {"x-team": "a"}}

The options stand for a request's query and headers: rules see them, and `filter`, `expand` and
`fields` do what they do there. Texts of another form are topics of which records tell nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from undercroft.query.errors import FilterError
from undercroft.query.lexer import Lexed, lex
from undercroft.query.parser import MAX_CLIENT_BYTES

LONGEST: Final = 2500  # characters
MOST: Final = 1000  # topics of one client
EVERY: Final = "*"
_CONTROL: Final = frozenset("\r\n\0")
_PRIVATE: Final = ("@request.", "@collection.")
Place = tuple[str, str]
"""A collection's name or id, and a record's id or `EVERY`."""


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """A topic about records. `record` is `EVERY` for all of a collection, which is a name or an id."""

    text: str
    collection: str
    record: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    filter: Lexed | None = None
    is_private: bool = False
    """Whether the filter asks for what only superusers may ask."""

    @property
    def place(self) -> Place:
        """Where changes must happen for it to tell of them."""
        return self.collection, self.record


@lru_cache(maxsize=1024)
def parse_topic(text: str) -> Topic | None:
    """The topic of a text; None when nothing that happens to records belongs to it."""
    path, _, asked = text.partition("?")
    collection, slash, record = path.partition("/")
    if not collection or (slash and not record) or "/" in record or not _CONTROL.isdisjoint(text):
        return None
    query, headers = _options(asked)
    wanted = query.get("filter", "")
    try:
        lexed = _lex(wanted) if wanted else None
    except FilterError:
        return None
    is_private = any(prefix in wanted for prefix in _PRIVATE)
    return Topic(text, collection, record or EVERY, query, headers, lexed, is_private)


def _lex(text: str) -> Lexed:
    if len(text.encode(errors="replace")) > MAX_CLIENT_BYTES:
        raise FilterError("The filter is too long")
    return lex(text)


def _options(asked: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    try:
        found = parse_qs(asked, max_num_fields=20).get("options", ["{}"])
        options = msgspec.json.decode(found[0])
    except (ValueError, RecursionError):
        return {}, {}
    if not isinstance(options, dict):
        return {}, {}
    headers = _texts(options.get("headers"))
    return _texts(options.get("query")), {name.lower().replace("-", "_"): text for name, text in headers.items()}


def _texts(found: Any) -> dict[str, str]:
    return {str(name): _text(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
