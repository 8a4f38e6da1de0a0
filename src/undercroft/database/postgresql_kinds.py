"""What an expression of a statement holds, read off the expression."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BindParameter, Case, ColumnClause, Function, Label, Null, TypeCoerce
from sqlalchemy.sql import ClauseElement, operators
from sqlalchemy.sql.elements import BinaryExpression, ExpressionClauseList, Grouping
from sqlalchemy.sql.selectable import TableValuedAlias

from undercroft.database.dialect import ColumnKind, Kind

_WRAPPED: Final = ("coalesce", "min", "max")
TEXTS: Final = frozenset({"text", "id", "date", "list", "geo"})
NUMBERS: Final = frozenset({"number", "bool"})


def kind_of(element: ClauseElement) -> ColumnKind | None:
    """What an expression holds; None for NULL and for conditions."""
    plain = unwrap(element)
    if isinstance(plain, Function) and plain.name in _WRAPPED:
        return kind_of(arguments(plain)[0])
    if isinstance(plain, Case):
        results = [result for _, result in plain.whens] + ([] if plain.else_ is None else [plain.else_])
        return next((kind for kind in map(kind_of, results) if kind), None)
    known = getattr(plain, "type", None)
    if isinstance(known, Kind):
        return known.kind
    if isinstance(plain, ColumnClause) and plain.is_literal:
        return "text" if plain.name.startswith("'") else "number"
    is_joined = isinstance(plain, BinaryExpression | ExpressionClauseList) and plain.operator is operators.concat_op
    return "text" if is_joined else None


def unwrap(element: ClauseElement) -> Any:
    """The expression without parentheses, labels and coercions around it."""
    inner: Any = element
    while isinstance(inner, Grouping | Label):
        inner = inner.element
    return inner


def arguments(function: Function[Any]) -> list[Any]:
    """What a function is called with."""
    return list(function.clauses)


def affinity(element: ClauseElement) -> str:
    """How SQLite treats what is compared with it: `text`, `number` or `""`; only columns have a say."""
    plain = unwrap(element)
    if not isinstance(plain, ColumnClause) or plain.is_literal or isinstance(plain.table, TableValuedAlias):
        return ""
    return "text" if kind_of(plain) in ("text", "id", "date") else "number"


def is_aggregate(element: ClauseElement) -> bool:
    """Whether it is the least or the greatest of many."""
    plain = unwrap(element)
    return isinstance(plain, Function) and plain.name in ("min", "max")


def is_null(element: ClauseElement) -> bool:
    """Whether it is the word NULL."""
    return isinstance(unwrap(element), Null)


def is_literal(element: ClauseElement, text: str) -> bool:
    """Whether it is that text of SQL."""
    plain = unwrap(element)
    return isinstance(plain, ColumnClause) and plain.is_literal and plain.name == text


def is_bound(element: ClauseElement) -> bool:
    """Whether it is a bound value."""
    plain = unwrap(element)
    return isinstance(plain, BindParameter | TypeCoerce)
