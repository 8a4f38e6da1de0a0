"""Parsing a filter's shape into a tree.

    filter     := conjunction ("||" conjunction)*
    conjunction:= item ("&&" item)*
    item       := "(" filter ")" | operand operator operand
    operand    := name | name "(" [operand ("," operand)*] ")" | literal

Depth and the number of comparisons are bounded while parsing, so that hostile
text is refused before it costs anything.
"""

from __future__ import annotations

from typing import cast

from undercroft.query.errors import FilterError, FilterTooLarge
from undercroft.query.lexer import Lexed, Token, lex, original_offset, tokens
from undercroft.query.tree import (
    And,
    CallNode,
    Comparison,
    LiteralNode,
    NameNode,
    Node,
    OperandNode,
    Operator,
    Or,
)

MAX_DEPTH = 50
MAX_COMPARISONS = 200
MAX_CALL_DEPTH = 3
MAX_CLIENT_BYTES = 3500

_LITERAL_KINDS = {"t": "text", "e": "empty", "n": "number"}


def parse_filter(text: str) -> tuple[Node, Lexed]:
    """The tree of a filter text and its literals. Raises `FilterError` with the offset in the text."""
    try:
        lexed = lex(text)
        return parse_shape(lexed.shape), lexed
    except FilterError as error:
        raise error.moved(original_offset(text, error.at) if error.at >= 0 else -1) from None


def parse_shape(shape: str) -> Node:
    """The tree of a shape. Raises `FilterError` with the offset in the shape."""
    parser = _Parser(tokens(shape))
    node = parser.disjunction(0)
    parser.expect_end()
    return node


class _Parser:
    """A cursor over tokens."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._literals = 0
        self._comparisons = 0

    def disjunction(self, depth: int) -> Node:
        items = [self._conjunction(depth)]
        while self._accept("join", "||"):
            items.append(self._conjunction(depth))
        return items[0] if len(items) == 1 else Or(tuple(items))

    def expect_end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            raise FilterError(f"Expected && or || before {_show(token)}", token.at)

    def _conjunction(self, depth: int) -> Node:
        items = [self._item(depth)]
        while self._accept("join", "&&"):
            items.append(self._item(depth))
        return items[0] if len(items) == 1 else And(tuple(items))

    def _item(self, depth: int) -> Node:
        token = self._peek()
        if not self._accept("open"):
            return self._comparison()
        if depth >= MAX_DEPTH:
            raise FilterTooLarge(f"Groups are nested deeper than {MAX_DEPTH}", token.at)
        node = self.disjunction(depth + 1)
        if not self._accept("close"):
            raise FilterError("The group is not closed", token.at)
        return node

    def _comparison(self) -> Comparison:
        start = self._peek().at
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise FilterTooLarge(f"There are more than {MAX_COMPARISONS} comparisons", start)
        left = self._operand(0)
        token = self._take("operator", "an operator such as = or ~")
        right = self._operand(0)
        is_any = token.text.startswith("?")
        operator = cast("Operator", token.text.removeprefix("?"))  # the lexer lets only operators through
        return Comparison(left, operator, is_any, right, start, self._peek().at)

    def _operand(self, depth: int) -> OperandNode:
        token = self._peek()
        if token.kind == "literal":
            self._next += 1
            self._literals += 1
            return LiteralNode(self._literals - 1, _LITERAL_KINDS[token.text])  # type: ignore[arg-type]  # a closed table
        self._take("name", "a field, a value or a function")
        following = self._peek()
        if following.kind == "open" and following.at == token.at + len(token.text):
            return self._call(token, depth + 1)
        return _name(token)

    def _call(self, token: Token, depth: int) -> CallNode:
        if depth > MAX_CALL_DEPTH:
            raise FilterTooLarge(f"Functions are nested deeper than {MAX_CALL_DEPTH}", token.at)
        self._next += 1
        arguments: list[OperandNode] = []
        while not self._accept("close"):
            if arguments:
                self._take("comma", "a comma or )")
            arguments.append(self._operand(depth))
        return CallNode(token.text, tuple(arguments), token.at)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _accept(self, kind: str, text: str | None = None) -> bool:
        token = self._peek()
        if token.kind != kind or (text is not None and token.text != text):
            return False
        self._next += 1
        return True

    def _take(self, kind: str, wanted: str) -> Token:
        token = self._peek()
        if token.kind != kind:
            raise FilterError(f"Expected {wanted}, found {_show(token)}", token.at)
        self._next += 1
        return token


def _name(token: Token) -> NameNode:
    dotted, _, modifier = token.text.partition(":")
    alias = ""
    if token.text.startswith("@collection."):
        dotted, modifier, alias = _collection_name(token)
    path = tuple(dotted.split("."))
    if token.text[-1] in ".:" or not all(path) or (":" in modifier) or token.text in ("@", "_", "#"):
        raise FilterError(f"{token.text!r} is not a name", token.at)
    if alias:
        path = (path[0], f"{path[1]}:{alias}", *path[2:])
    return NameNode(path, modifier, token.at)


def _collection_name(token: Token) -> tuple[str, str, str]:
    """`@collection.NAME[:alias].FIELD[:modifier]` as (path, modifier, alias)."""
    head, _, rest = token.text.removeprefix("@collection.").partition(".")
    name, _, alias = head.partition(":")
    dotted, _, modifier = rest.partition(":")
    return f"@collection.{name}.{dotted}" if dotted else f"@collection.{name}", modifier, alias


def _show(token: Token) -> str:
    if token.kind == "end":
        return "the end"
    return "a value" if token.kind == "literal" else repr(token.text)
