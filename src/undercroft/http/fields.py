"""The `fields` parameter: which keys of an answer the caller wants.

`fields=id,expand.author.name,body:excerpt(80,true)` is parsed to a tree of keys,
cached by its text, and applied to the answer: to each item of a page, to each
element of an array, else to the object itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from undercroft.errors import BadRequest
from undercroft.http.excerpt import excerpt

_LONGEST: Final = 10_000
_KEPT: Final = 300  # what is parsed of longer ones would fill the memory
_PAGE: Final = frozenset(("items", "page", "perPage", "totalItems", "totalPages"))
_EXPLAINED_PAGE: Final = _PAGE | {"explain"}
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class BadFields(BadRequest):
    """A modifier in `fields` is unknown or has wrong arguments."""

    code = "bad_fields"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The modifier `:excerpt(size, ellipsis)`."""

    size: int
    has_ellipsis: bool = False


@dataclass(slots=True)
class Picks:
    """What is kept of a value: all of it, or some keys, and how its text is cut."""

    whole: bool = False
    cut: Excerpt | None = None
    keys: dict[str, Picks] = field(default_factory=dict)


def parse_fields(text: str) -> Picks:
    """What a `fields` parameter keeps. Raises `BadFields`."""
    if len(text) > _LONGEST:
        raise BadFields
    return _parse(text) if len(text) > _KEPT else _parse_kept(text)


@lru_cache(maxsize=1024)
def _parse_kept(text: str) -> Picks:
    return _parse(text)


def _parse(text: str) -> Picks:
    root = Picks()
    for entry in _split(text):
        path, _, modifier = entry.partition(":")
        node = root
        for key in path.split("."):
            node = node.keys.setdefault(key.strip(), Picks())
        node.whole = True
        node.cut = _parse_modifier(modifier.strip()) if ":" in entry else node.cut
    return root


def plain_keys(text: str) -> frozenset[str] | None:
    """The keys a `fields` parameter keeps, when it names nothing but whole keys of the first level; else None.

    Raises `BadFields`.
    """
    picks = parse_fields(text).keys
    is_plain = all(inner.whole and inner.cut is None and not inner.keys for inner in picks.values())
    return frozenset(picks) if is_plain and "*" not in picks else None


def pick(value: Any, picks: Picks) -> Any:
    """What of an answer is kept."""
    if isinstance(value, dict) and value.keys() in (_PAGE, _EXPLAINED_PAGE):
        return {**value, "items": _keep(value["items"], picks)}
    return _keep(value, picks)


def _keep(value: Any, picks: Picks) -> Any:
    if isinstance(value, list):
        return [_keep(item, picks) for item in value]
    if not isinstance(value, dict):
        return value
    rest = picks.keys.get("*")
    kept = {}
    for key, item in value.items():
        chosen = picks.keys.get(key) or rest
        if chosen is not None:
            kept[key] = _keep_item(item, chosen)
    return kept


def _keep_item(item: Any, picks: Picks) -> Any:
    if picks.cut is not None and isinstance(item, str):
        return excerpt(item, picks.cut.size, has_ellipsis=picks.cut.has_ellipsis)
    return item if picks.whole else _keep(item, picks)


def _split(text: str) -> list[str]:
    """The entries between commas that stand in no parentheses, trimmed, empty ones left out."""
    entries, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif char == "," and depth == 0:
            entries.append(text[start:at].strip())
            start = at + 1
    entries.append(text[start:].strip())
    return [entry for entry in entries if entry]


def _parse_modifier(text: str) -> Excerpt:
    name, opening, rest = text.partition("(")
    if name.strip() != "excerpt" or not opening or not rest.endswith(")"):
        raise BadFields
    arguments = [argument.strip() for argument in rest[:-1].split(",")]
    size = arguments[0]
    if not (size.isascii() and size.isdigit() and 0 < len(size) < 10 and int(size) > 0) or len(arguments) > 2:
        raise BadFields
    return Excerpt(int(size), _parse_bool(arguments[1]) if len(arguments) == 2 else False)


def _parse_bool(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise BadFields
    return text in _TRUE
