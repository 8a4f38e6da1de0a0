"""Comparisons as SQLite makes them, in PostgreSQL's types.

SQLite compares any two values: numbers come before texts, a column of text turns a
number beside it into text, a column of numbers turns the text of one into a number.
PostgreSQL compares what has one type. So every comparison is spelled by the kinds of
its sides: both as texts, both as numbers, or, when a side may be either, both as a
*rank*, a text that sorts as such values do in SQLite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any, Final

from sqlalchemy import BindParameter, FromClause, Function, UnaryExpression
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer
from sqlalchemy.sql import ClauseElement, operators

from undercroft.database.dialect import ColumnKind, Kind
from undercroft.database.postgresql_kinds import (
    NUMBERS,
    TEXTS,
    affinity,
    arguments,
    is_aggregate,
    is_bound,
    is_literal,
    is_null,
    kind_of,
    unwrap,
)

LONGEST_NAME: Final = 63  # bytes; PostgreSQL cuts off the rest
_TAKEN: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})  # columns every table has
_SYMBOLS: Final[dict[Any, str]] = {
    operators.eq: "=",
    operators.ne: "<>",
    operators.is_distinct_from: "IS DISTINCT FROM",
    operators.is_not_distinct_from: "IS NOT DISTINCT FROM",
}
_DIFFERS: Final = ("<>", "IS DISTINCT FROM")
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERS: Final = tuple(_MIRRORED)
BIND_TYPES: Final[dict[ColumnKind, str]] = {
    "id": 'text COLLATE "C"',
    "text": 'text COLLATE "C"',
    "number": "double precision",
    "bool": "boolean",
    "date": "timestamptz",
    "list": "jsonb",
    "json": "jsonb",
    "geo": "jsonb",
    "bytes": "bytea",
}
_FIRST: Final[dict[Any, str]] = {operators.asc_op: "ASC NULLS FIRST", operators.desc_op: "DESC NULLS LAST"}


def stored_name(name: str) -> str:
    """A name as PostgreSQL knows it: one that is too long, or taken by it, becomes one that no other has."""
    if len(name.encode()) <= LONGEST_NAME and name not in _TAKEN:
        return name
    head = name.encode()[: LONGEST_NAME - 13].decode(errors="ignore")
    return f"{head}_{sha1(name.encode(), usedforsecurity=False).hexdigest()[:12]}"


def quote_name(name: str) -> str:
    """A name as PostgreSQL knows it, quoted."""
    return '"' + stored_name(name).replace('"', '""') + '"'


class _Quoting(PGIdentifierPreparer):
    def quote_identifier(self, value: str) -> str:
        return quote_name(value)

    def _requires_quotes(self, value: str) -> bool:
        del value
        return True


class _Compiler(PGCompiler):
    """Spells statements; see the module."""

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kw: Any) -> str:
        text = super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        kind = bindparam.type.kind if isinstance(bindparam.type, Kind) else "text"
        return f"({text}::{BIND_TYPES[kind]})"

    def visit_binary(self, binary: Any, *args: Any, **kw: Any) -> str:
        operator = binary.operator
        if operator is operators.concat_op:
            return self._joined((binary.left, binary.right), **kw)
        symbol = _SYMBOLS.get(operator) or (operator.opstring if isinstance(operator, operators.custom_op) else "")
        if not symbol:
            return super().visit_binary(binary, *args, **kw)  # type: ignore[no-untyped-call,no-any-return]  # likewise
        return f"({self._compared(binary.left, symbol, binary.right, **kw)})"

    def visit_expression_clauselist(self, clauselist: Any, **kw: Any) -> str:
        if clauselist.operator is operators.concat_op:
            return self._joined(clauselist.clauses, **kw)
        return super().visit_expression_clauselist(clauselist, **kw)  # type: ignore[no-untyped-call,no-any-return]  # likewise

    def visit_unary(self, unary: UnaryExpression[Any], *args: Any, **kw: Any) -> str:
        direction = _FIRST.get(unary.modifier or "")
        if direction is None:
            return super().visit_unary(unary, *args, **kw)  # type: ignore[no-untyped-call,no-any-return]  # likewise
        # The primary key of the table itself is never missing, and its index has no such order.
        is_key = kind_of(unary.element) == "id" and _table_name(unary.element) == "r"
        return f"{self.as_sortable(unary.element, **kw)} {direction.split()[0] if is_key else direction}"

    def visit_function(self, func: Any, add_to_result_map: Any = None, **kw: Any) -> str:
        spell = self._functions.get(func.name)
        if spell is None:
            return super().visit_function(func, add_to_result_map, **kw)
        return spell(self, arguments(func), **kw)

    def as_text(self, element: ClauseElement, **kw: Any) -> str:
        """An expression as the text that SQLite would show for it."""
        plain, kind = unwrap(element), kind_of(element)
        if _is_coalesce(plain):
            return f"coalesce({self.as_text(arguments(plain)[0], **kw)}, '')"
        text = self.process(plain, **kw)
        if kind == "number":
            return f"undercroft.real_text({text})" if is_bound(plain) else f"({text})::text"
        if kind == "bool":
            return f"({text})::int::text"
        makers = {"date": "date_text", "list": "json_text", "geo": "json_text", "json": "scalar_text"}
        return f"undercroft.{makers[kind]}({text})" if kind in makers else text

    def as_number(self, element: ClauseElement, **kw: Any) -> str:
        """An expression as a number, NULL when it is none."""
        text, kind = self.process(element, **kw), kind_of(element)
        if kind == "number" or kind is None:
            return text
        if kind == "bool":
            return f"({text})::int"
        if kind == "json":
            return f"undercroft.scalar_number({text})"
        return f"undercroft.text_number({self.as_text(element, **kw)})"

    def as_rank(self, element: ClauseElement, *, is_numeric: bool = False, **kw: Any) -> str:
        """An expression as its rank; `is_numeric` where a column of numbers stands on the other side."""
        plain, kind = unwrap(element), kind_of(element)
        if _is_coalesce(plain):
            return f"coalesce({self.as_rank(arguments(plain)[0], **kw)}, '1')"
        if kind == "json":
            return f"undercroft.{'numeric_rank' if is_numeric else 'rank'}({self.process(plain, **kw)})"
        if kind in NUMBERS:
            return f"undercroft.rank(({self.as_number(plain, **kw)})::double precision)"
        if is_numeric:
            return f"undercroft.numeric_rank({self.as_text(plain, **kw)})"
        return f"('1' || {self.as_text(plain, **kw)})"

    def as_sortable(self, element: ClauseElement, **kw: Any) -> str:
        """An expression as a value whose order is SQLite's."""
        kind = None if is_aggregate(element) else kind_of(element)
        if kind == "json":
            return self.as_rank(element, **kw)
        if kind == "bool":
            return f"({self.process(element, **kw)})::int"
        return self.as_text(element, **kw) if kind in ("list", "geo") else self.process(element, **kw)

    def _joined(self, parts: Sequence[ClauseElement], **kw: Any) -> str:
        return f"({' || '.join(self.as_text(part, **kw) for part in parts)})"

    def _compared(self, left: ClauseElement, symbol: str, right: ClauseElement, **kw: Any) -> str:
        if symbol in ("ILIKE", "NOT ILIKE"):
            return f'{self.as_text(left, **kw)} COLLATE "C" {symbol} {self.as_text(right, **kw)}'
        if symbol == "?" or is_null(left) or is_null(right):
            return f"{self.process(left, **kw)} {symbol} {self.process(right, **kw)}"
        return self._compared_kinds(left, symbol, right, **kw)

    def _compared_kinds(self, left: ClauseElement, symbol: str, right: ClauseElement, **kw: Any) -> str:
        kinds = (kind_of(left), kind_of(right))
        if kinds == ("bytes", "bytes"):
            return f"{self.process(left, **kw)} {symbol} {self.process(right, **kw)}"
        spelled = self._compared_with_literal(left, symbol, right, **kw)
        if spelled:
            return spelled
        if kinds == ("date", "date") and not (_is_coalesce(unwrap(left)) or _is_coalesce(unwrap(right))):
            return f"{self.process(left, **kw)} {symbol} {self.process(right, **kw)}"
        spell: Callable[..., str]
        if set(kinds) <= NUMBERS and not _is_coalesce(unwrap(left)):
            spell = self.as_number
        elif set(kinds) <= TEXTS or _as_texts(left, right):
            spell = self.as_text
        else:
            return self._compared_ranks(left, symbol, right, **kw)
        if spell == self.as_text and symbol in _ORDERS:
            text = f'{spell(left, **kw)} {symbol} {spell(right, **kw)} COLLATE "C"'
            return text + self._bounded(left, symbol, right, **kw) + self._bounded(right, _MIRRORED[symbol], left, **kw)
        return f"{spell(left, **kw)} {symbol} {spell(right, **kw)}"

    def _bounded(self, left: ClauseElement, symbol: str, right: ClauseElement, **kw: Any) -> str:
        """What follows from a date column's comparison with a bound text, and an index on the column can answer."""
        if affinity(left) != "text" or kind_of(left) != "date" or not is_bound(right) or kind_of(right) == "date":
            return ""
        is_last = symbol in ("<", "<=")
        bound = f"undercroft.moment_bound({self.as_text(right, **kw)}, {str(is_last).lower()})"
        return f" AND {self.process(left, **kw)} {'<=' if is_last else '>='} {bound}"

    def _compared_ranks(self, left: ClauseElement, symbol: str, right: ClauseElement, **kw: Any) -> str:
        one = self.as_rank(left, is_numeric=affinity(right) == "number", **kw)
        other = self.as_rank(right, is_numeric=affinity(left) == "number", **kw)
        return f'{one} {symbol} {other} COLLATE "C"'

    def _compared_with_literal(self, left: ClauseElement, symbol: str, right: ClauseElement, **kw: Any) -> str:
        """Short forms that indexes serve, for columns beside `''` and flags beside 1 and 0."""
        if symbol in _ORDERS or affinity(left) == "":
            return ""
        kind = kind_of(left)
        if is_literal(right, "''"):
            if kind == "date":
                return f"{self.process(left, **kw)} {symbol} '-infinity'"
            return ("true" if symbol in _DIFFERS else "false") if kind not in ("text", "id", "json") else ""
        if kind == "bool" and (is_literal(right, "1") or is_literal(right, "0")):
            return f"{self.process(left, **kw)} {symbol} {'true' if is_literal(right, '1') else 'false'}"
        return ""

    def _spell_call(self, name: str, spell: Callable[..., str], given: list[Any], **kw: Any) -> str:
        return f"{name}({', '.join(spell(argument, **kw) for argument in given)})"

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        del table
        return text

    _functions: Final[dict[str, Callable[..., str]]] = {
        "min": lambda self, given, **kw: self._spell_call("min", self.as_sortable, given, **kw),
        "max": lambda self, given, **kw: self._spell_call("max", self.as_sortable, given, **kw),
        "lower": lambda self, given, **kw: f'lower({self.as_text(given[0], **kw)} COLLATE "C")',
        "path": lambda self, given, **kw: (
            f"nullif({self.process(given[0], **kw)} #> {self.process(given[1], **kw)}, 'null')"
        ),
        "any_of": lambda self, given, **kw: (
            f"ANY (ARRAY(SELECT jsonb_array_elements_text({self.process(given[0], **kw)})))"
        ),
        "list_length": lambda self, given, **kw: self._spell_call("undercroft.list_length", self.process, given, **kw),
        "elements": lambda self, given, **kw: self._spell_call("undercroft.elements", self.process, given, **kw),
        "element_texts": lambda self, given, **kw: self._spell_call(
            "undercroft.element_texts", self.process, given, **kw
        ),
        "strftime": lambda self, given, **kw: self._spell_call("undercroft.strftime", self.as_text, given, **kw),
        "geo_distance": lambda self, given, **kw: self._spell_call(
            "undercroft.geo_distance", self.as_number, given, **kw
        ),
    }


class Spelling(PGDialect):
    """SQLAlchemy's PostgreSQL with our comparisons."""

    statement_compiler = _Compiler
    preparer = _Quoting
    supports_statement_cache = False


def _is_coalesce(element: Any) -> bool:
    return isinstance(element, Function) and element.name == "coalesce"


def _as_texts(left: ClauseElement, right: ClauseElement) -> bool:
    """Whether one side is a column of text, which turns what is no column beside it into text."""
    sides = {affinity(left), affinity(right)}
    return sides == {"text", ""}


def _table_name(element: ClauseElement) -> str:
    return str(getattr(getattr(unwrap(element), "table", None), "name", ""))
