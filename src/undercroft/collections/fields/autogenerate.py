r"""Random text for a pattern: a small part of the regex language, read the other way round.

Known: literals, escapes (`\d \w \s`), classes, groups, alternation, `.`, and the
repeats `? * + {n} {n,m}`. Open repeats stop at ten more than their least. Anchors
generate nothing. All choices come from the operating system's random source.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from functools import lru_cache

_OPEN_END = 10
_MOST_STEPS = 20_000  # a character is one, and so is each turn of a repeat
_MOST_DIGITS = 6
_DEEPEST = 50
_SPECIAL = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " "}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}
_DOT = string.ascii_letters + string.digits
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


class UnsupportedPatternError(ValueError):
    """The pattern uses what cannot be generated; the text says what."""


@dataclass(frozen=True, slots=True)
class _OneOf:
    characters: str


@dataclass(frozen=True, slots=True)
class _Repeat:
    node: _Node
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    nodes: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Either:
    branches: tuple[_Node, ...]


_Node = _OneOf | _Repeat | _Sequence | _Either


def generate(pattern: str) -> str:
    """Random text that the pattern describes. Raises `UnsupportedPatternError`."""
    out: list[str] = []
    _write(_parse(pattern), out)
    return "".join(out)


def _write(node: _Node, out: list[str]) -> None:
    match node:
        case _OneOf():
            out.append(secrets.choice(node.characters))
        case _Sequence():
            for part in node.nodes:
                _write(part, out)
        case _Either():
            _write(secrets.choice(node.branches), out)
        case _Repeat():
            for _ in range(node.least + secrets.randbelow(node.most - node.least + 1)):
                _write(node.node, out)


@lru_cache(maxsize=256)
def _parse(pattern: str) -> _Node:
    reader = _Reader(pattern)
    node = reader.alternation()
    if reader.rest:
        raise UnsupportedPatternError(f"unexpected {reader.rest[0]!r}")
    if _steps(node) > _MOST_STEPS:
        raise UnsupportedPatternError("the text would be too long")
    return node


def _steps(node: _Node) -> int:
    """How much work a node is at most."""
    match node:
        case _OneOf():
            return 1
        case _Sequence():
            return 1 + sum(map(_steps, node.nodes))
        case _Either():
            return 1 + max(map(_steps, node.branches))
        case _Repeat():
            return 1 + node.most * _steps(node.node)


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.rest = pattern
        self.depth = 0

    def alternation(self) -> _Node:
        branches = [self.sequence()]
        while self.take("|"):
            branches.append(self.sequence())
        return _Either(tuple(branches)) if len(branches) > 1 else branches[0]

    def sequence(self) -> _Node:
        nodes: list[_Node] = []
        while self.rest and self.rest[0] not in "|)":
            if not (self.take("^") or self.take("$")):
                nodes.append(self.repeat(self.atom()))
        return _Sequence(tuple(nodes))

    def atom(self) -> _Node:
        if self.take("("):
            return self.group()
        if self.take("["):
            return _OneOf(self.character_class())
        if self.take("\\"):
            return _OneOf(self.escape())
        if self.take("."):
            return _OneOf(_DOT)
        if self.rest[0] in "*+?{":
            raise UnsupportedPatternError(f"nothing to repeat before {self.rest[0]!r}")
        return _OneOf(self.next())

    def group(self) -> _Node:
        if self.take("?") and not self.take(":"):
            raise UnsupportedPatternError("only plain groups can be generated")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise UnsupportedPatternError("groups are nested too deeply")
        node = self.alternation()
        if not self.take(")"):
            raise UnsupportedPatternError("missing )")
        self.depth -= 1
        return node

    def repeat(self, node: _Node) -> _Node:
        least, most = self.bounds()
        self.take("?")
        if (least, most) == (1, 1):
            return node
        if least > most:
            raise UnsupportedPatternError("a repeat ends before it begins")
        return _Repeat(node, least, most)

    def bounds(self) -> tuple[int, int]:
        for sign, bounds in (("?", (0, 1)), ("*", (0, _OPEN_END)), ("+", (1, _OPEN_END))):
            if self.take(sign):
                return bounds
        if not self.take("{"):
            return 1, 1
        inside, closed, self.rest = self.rest.partition("}")
        first, comma, last = inside.partition(",")
        if not closed or not _is_count(first) or not (_is_count(last) or not last):
            raise UnsupportedPatternError("bad repeat")
        least = int(first)
        return least, int(last) if last else (least + _OPEN_END if comma else least)

    def character_class(self) -> str:
        negated = self.take("^")
        found: list[str] = []
        while self.rest and (not self.take("]") or not found):
            found.append(self.class_part())
        characters = "".join(dict.fromkeys("".join(found)))
        if negated:
            characters = "".join(character for character in _PRINTABLE if character not in characters)
        if not characters:
            raise UnsupportedPatternError("an empty class")
        return characters

    def class_part(self) -> str:
        first = self.class_character()
        if len(first) != 1 or self.rest[:1] != "-" or self.rest[1:2] in ("]", ""):
            return first
        self.take("-")
        last = self.class_character()
        if len(last) != 1 or last < first:
            raise UnsupportedPatternError("bad range")
        return "".join(map(chr, range(ord(first), ord(last) + 1)))

    def class_character(self) -> str:
        return self.escape() if self.take("\\") else self.next()

    def escape(self) -> str:
        character = self.next()
        if character in _SPECIAL:
            return _SPECIAL[character]
        if character.isalnum() and character not in _CONTROL:
            raise UnsupportedPatternError(f"cannot generate \\{character}")
        return _CONTROL.get(character, character)

    def take(self, sign: str) -> bool:
        if not self.rest.startswith(sign):
            return False
        self.rest = self.rest[len(sign) :]
        return True

    def next(self) -> str:
        if not self.rest:
            raise UnsupportedPatternError("the pattern ends too early")
        character, self.rest = self.rest[0], self.rest[1:]
        return character


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
