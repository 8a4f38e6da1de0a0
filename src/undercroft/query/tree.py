"""A parsed filter, as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LiteralKind = Literal["text", "empty", "number"]
Operator = Literal["=", "!=", "~", "!~", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class LiteralNode:
    """A literal, by its place among the literals of the text."""

    index: int
    kind: LiteralKind


@dataclass(frozen=True, slots=True)
class NameNode:
    """A dotted name with an optional modifier: `author.name:lower`."""

    path: tuple[str, ...]
    modifier: str
    at: int

    @property
    def text(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class CallNode:
    """A function call."""

    name: str
    arguments: tuple[OperandNode, ...]
    at: int


OperandNode = LiteralNode | NameNode | CallNode


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`; `is_any` for the any-of form. `start` and `end` are offsets in the shape."""

    left: OperandNode
    operator: Operator
    is_any: bool
    right: OperandNode
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class And:
    """All items hold."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the items holds."""

    items: tuple[Node, ...]


Node = Comparison | And | Or


def comparisons(node: Node) -> Iterator[Comparison]:
    """All comparisons, from left to right."""
    if isinstance(node, Comparison):
        yield node
        return
    for item in node.items:
        yield from comparisons(item)


def names(node: Node) -> Iterator[NameNode]:
    """All names in a tree, arguments of functions included."""
    for comparison in comparisons(node):
        yield from _names_of(comparison.left)
        yield from _names_of(comparison.right)


def _names_of(operand: OperandNode) -> Iterator[NameNode]:
    if isinstance(operand, NameNode):
        yield operand
    elif isinstance(operand, CallNode):
        for argument in operand.arguments:
            yield from _names_of(argument)
