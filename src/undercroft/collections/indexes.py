"""CREATE INDEX statements: read, compared, written for another table.

The text comes from people, so only its parts are used: a statement is read into
names and expressions, and what runs is made from those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from undercroft.database.dialect import ColumnKind, Dialect

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
      |(?P<text>'(?:[^']|'')*')
      |(?P<word>[^\W\d]\w*)
      |(?P<number>\d[\w.]*)
      |(?P<sign>[^\s;'"`\[\]])""",
    re.VERBOSE | re.DOTALL,
)


class IndexColumn(msgspec.Struct, frozen=True):
    """A column or expression of an index."""

    name: str
    collate: str = ""
    sort: str = ""
    is_expression: bool = False


class Index(msgspec.Struct, frozen=True):
    """A parsed CREATE INDEX statement."""

    name: str
    table: str
    columns: tuple[IndexColumn, ...]
    is_unique: bool = False
    where: str = ""
    if_not_exists: bool = False


class Token(msgspec.Struct, frozen=True):
    """A piece of a statement, where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The keyword it may be, in capitals."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier it is, without quotes; `""` when it is none."""
        if self.kind == "quoted":
            quote = self.text[-1]
            return self.text[1:-1].replace(quote * 2, quote)
        return self.text if self.kind == "word" else ""


class _NoIndexError(ValueError):
    """The text is no CREATE INDEX statement."""


@lru_cache(maxsize=1024)
def parse_index(text: str) -> Index | None:
    """The parts of a CREATE INDEX statement, or None when it is none."""
    try:
        return _Reader(text).statement()
    except _NoIndexError:
        return None


def parse_indexes(texts: Iterable[str]) -> list[Index]:
    """The parts of those texts that are CREATE INDEX statements."""
    return [index for index in map(parse_index, texts) if index]


def unique_column(index: Index) -> str:
    """The name of the only column of a unique index, in lower case; `""` for other indexes."""
    if not index.is_unique or len(index.columns) != 1 or index.columns[0].is_expression:
        return ""
    return index.columns[0].name.lower()


def mentioned(index: Index) -> set[str]:
    """Every name in an index, in lower case: columns, and words of its expressions."""
    texts = [f'"{c.name}"' if not c.is_expression else c.name for c in index.columns] + [index.where]
    return {token.name.lower() for text in texts for token in tokenize(text) or () if token.name}


def move_index(text: str, table: str) -> str:
    """The statement for the table of that name: as it is when it is for it already, else normalised."""
    index = parse_index(text)
    return text if index is None or index.table == table else render_index(index, table)


def render_index(index: Index, table: str) -> str:
    """The normal form of the statement for a table, as definitions show it."""
    start = ["CREATE", *(["UNIQUE"] if index.is_unique else []), "INDEX"]
    start += ["IF NOT EXISTS"] if index.if_not_exists else []
    columns = [_render_column(column) for column in index.columns]
    inside = columns[0] if len(columns) == 1 else "\n  " + ",\n  ".join(columns) + "\n"
    where = f" WHERE {index.where}" if index.where else ""
    return f"{' '.join(start)} {_backtick(index.name)} ON {_backtick(table)} ({inside}){where}"


def create_index(index: Index, table: str, kinds: Mapping[str, ColumnKind], dialect: Dialect) -> str:
    """The statement that makes the index of a table with these columns."""
    unique = "UNIQUE " if index.is_unique else ""
    columns = ", ".join(_spell_column(column, kinds, dialect) for column in index.columns)
    where = f" WHERE {dialect.index_expression(index.where, kinds)}" if index.where else ""
    return f"CREATE {unique}INDEX {dialect.quote(index.name)} ON {dialect.quote(table)} ({columns}){where}"


def _spell_column(column: IndexColumn, kinds: Mapping[str, ColumnKind], dialect: Dialect) -> str:
    if not column.is_expression:
        name = next((name for name in kinds if name.lower() == column.name.lower()), column.name)
        return dialect.index_column(name, column.collate, column.sort)
    parts = [dialect.index_expression(column.name, kinds), f"COLLATE {column.collate}" if column.collate else ""]
    return " ".join(filter(None, [*parts, column.sort]))


def _backtick(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _render_column(column: IndexColumn) -> str:
    name = column.name if column.is_expression else _backtick(column.name)
    parts = [name, f"COLLATE {column.collate}" if column.collate else "", column.sort]
    return " ".join(filter(None, parts))


def tokenize(text: str) -> list[Token] | None:
    """The tokens of a statement without spaces and comments; None when it has a semicolon or other strange text."""
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        if found.lastgroup != "space":
            tokens.append(Token(str(found.lastgroup), found.group(), at, found.end()))
        at = found.end()
    return tokens


class _Reader:
    """Reads one statement from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip().removesuffix(";")
        tokens = tokenize(self.text)
        if tokens is None:
            raise _NoIndexError
        self.tokens = tokens
        self.at = 0

    def statement(self) -> Index:
        self.expect("CREATE")
        is_unique = self.take("UNIQUE")
        self.expect("INDEX")
        if_not_exists = self.take("IF")
        if if_not_exists:
            self.expect("NOT")
            self.expect("EXISTS")
        name = self.qualified_name()
        self.expect("ON")
        table = "" if self.takes_no_name() else self.qualified_name()
        columns = tuple(map(self.column, self.column_lists()))
        where = self.rest() if self.take("WHERE") else ""
        if self.at < len(self.tokens) or not columns:
            raise _NoIndexError
        return Index(name, table, columns, is_unique, where, if_not_exists)

    def column_lists(self) -> list[list[Token]]:
        """The tokens of each column between the outer parentheses."""
        self.sign("(")
        lists: list[list[Token]] = [[]]
        depth = 1
        while depth:
            token = self.next()
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
            if depth == 1 and token.text == ",":
                lists.append([])
            elif depth:
                lists[-1].append(token)
        return lists

    def column(self, tokens: list[Token]) -> IndexColumn:
        sort = tokens.pop().word if tokens and tokens[-1].word in ("ASC", "DESC") else ""
        collate = ""
        if len(tokens) > 2 and tokens[-2].word == "COLLATE":
            collate = tokens.pop().name
            tokens.pop()
        if not tokens or (tokens[0].kind == "quoted" and not tokens[0].name):
            raise _NoIndexError
        if len(tokens) == 1 and tokens[0].name:
            return IndexColumn(tokens[0].name, collate, sort)
        return IndexColumn(self.text[tokens[0].start : tokens[-1].end], collate, sort, is_expression=True)

    def rest(self) -> str:
        left = self.tokens[self.at :]
        self.at = len(self.tokens)
        if not left:
            raise _NoIndexError
        return self.text[left[0].start : left[-1].end]

    def takes_no_name(self) -> bool:
        """Whether empty quotes come next: a scaffold's index is for a table that has no name yet."""
        found = self.at < len(self.tokens) and self.tokens[self.at].text in ('""', "``", "[]")
        self.at += found
        return found

    def qualified_name(self) -> str:
        name = self.name()
        if self.at < len(self.tokens) and self.tokens[self.at].text == ".":
            self.at += 1
            name = self.name()
        return name

    def name(self) -> str:
        name = self.next().name
        if not name or name.upper() == "ON":
            raise _NoIndexError
        return name

    def sign(self, text: str) -> None:
        if self.next().text != text:
            raise _NoIndexError

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise _NoIndexError

    def take(self, word: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at].word == word
        self.at += found
        return found

    def next(self) -> Token:
        if self.at >= len(self.tokens):
            raise _NoIndexError
        self.at += 1
        return self.tokens[self.at - 1]
