r"""Lexing a filter: its shape apart from its literals.

A plan is made once a *shape* and run with many literals, so the first pass over a
filter only takes its literals out: `a = 'x' && b > 5` becomes the shape
`a = \x01t && b > \x01n` and the literals `("x", 5.0)`. It is one substitution by
one regular expression, since every filtered request pays for it. The second
pass, over the shape, makes the tokens that the parser reads; it runs only when
no plan is cached.

The empty text is a mark of its own: `a = ''` also finds missing values, so it
compiles to different SQL.

Who calls in-process writes `a = {:name}` and gives the value apart from the text: it
becomes a literal like any other, so that no quoting can go wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from undercroft.query.bound import Bound, check_names, keyword_of, literal_of
from undercroft.query.errors import FilterError

MARK = "\x01"
TEXT_MARK, EMPTY_MARK, NUMBER_MARK = MARK + "t", MARK + "e", MARK + "n"

_REFUSED = (MARK, "\0")

_LITERALS = re.compile(
    r"""(?P<text>'(?:\\'|[^'])*+'|"(?:\\"|[^"])*+")
      | (?P<comment>//[^\n]*)
      | (?P<number>(?<![\w.:@\#])-?[0-9]+(?:\.[0-9]+)?(?![\w.:@\#]))""",
    re.VERBOSE | re.ASCII,
)
_LITERALS_AND_BOUND = re.compile(rf"{_LITERALS.pattern} | \{{:(?P<bound>\w+)\}}", _LITERALS.flags)
_TOKENS = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | \x01(?P<literal>[ten])
      | (?P<name>[A-Za-z_@\#][\w.:@\#]*+)
      | (?P<operator>\??(?:!=|!~|<=|>=|=|~|<|>))
      | (?P<join>&&|\|\|)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<comma>,)""",
    re.VERBOSE | re.ASCII,
)

Kind = Literal["literal", "name", "operator", "join", "open", "close", "comma", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a shape. `at` is its offset in the shape."""

    kind: Kind
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Lexed:
    """A filter text taken apart: equal shapes compile to the same statement."""

    shape: str
    literals: tuple[str | float, ...]


def lex(text: str, values: Mapping[str, Bound] | None = None) -> Lexed:
    """Take the literals out of a filter; `values` are those of its placeholders.

    Raises `FilterError` for a control character, and for placeholders and values that do not fit.
    """
    for character in _REFUSED:
        if character in text:
            raise FilterError("The filter holds a control character", text.index(character))
    literals: list[str | float] = []
    bound = values or {}

    def take(found: re.Match[str]) -> str:
        kind = found.lastgroup
        if kind == "comment":
            return " "
        literal = found[0]
        if kind == "number":
            literals.append(_number(literal, found.start()))
            return NUMBER_MARK
        if kind == "bound":
            return keyword_of(bound[found["bound"]]) or keep(literal_of(found["bound"], bound[found["bound"]]))
        quote, value = literal[0], literal[1:-1]
        return keep(value.replace("\\" + quote, quote))

    def keep(value: str | float) -> str:
        literals.append(value)
        return NUMBER_MARK if isinstance(value, float) else TEXT_MARK if value else EMPTY_MARK

    if values is None:
        return Lexed(_LITERALS.sub(take, text), tuple(literals))
    check_names(text, {found["bound"] for found in _LITERALS_AND_BOUND.finditer(text) if found["bound"]}, bound)
    return Lexed(_LITERALS_AND_BOUND.sub(take, text), tuple(literals))


def _number(text: str, at: int) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise FilterError("The number is too large", at)
    return number


def tokens(shape: str) -> list[Token]:
    """The tokens of a shape, closed by an `end` token. Raises `FilterError` where none fits."""
    found: list[Token] = []
    at = 0
    while at < len(shape):
        match = _TOKENS.match(shape, at)
        if match is None or match.lastgroup is None:
            raise FilterError(_unexpected(shape[at]), at)
        if match.lastgroup != "space":
            kind: Kind = match.lastgroup  # type: ignore[assignment]  # the group names are the kinds
            found.append(Token(kind, match[match.lastgroup], at))
        at = match.end()
    return [*found, Token("end", "", len(shape))]


def _unexpected(character: str) -> str:
    if character in "'\"":
        return "The text is not closed"
    return f"Unexpected {character!r}"


def original_offset(text: str, shape_offset: int, values: Mapping[str, Bound] | None = None) -> int:
    """Where in the filter text an offset of its shape points to."""
    shift = 0
    for found in (_LITERALS if values is None else _LITERALS_AND_BOUND).finditer(text):
        length = 1 if found.lastgroup == "comment" else len(TEXT_MARK)
        if values is not None and found.lastgroup == "bound":
            length = len(keyword_of(values.get(found["bound"], ""))) or length
        if found.start() - shift >= shape_offset:
            break
        shift += len(found[0]) - length
    return min(shape_offset + shift, len(text))
