"""Comparing two operands.

Columns of text, dates, numbers and relations treat null and the empty text as one
thing, so that a missing related record and an empty value are found alike. JSON
tells them apart.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, exists, false, func, literal_column, not_, or_, select, true

from undercroft.database.dialect import Dialect, Expression
from undercroft.query.binds import Binds, Inputs, Source, like_pattern
from undercroft.query.operand import Operand, RelatedRows
from undercroft.query.tree import Operator

_EMPTY: Expression = literal_column("''")


def compare(left: Operand, operator: Operator, right: Operand, dialect: Dialect, binds: Binds) -> Expression:
    """One comparison of two operands, for the joined row at hand."""
    if operator in ("=", "!="):
        return equal(left, right, dialect, negated=operator == "!=")
    if operator in ("~", "!~"):
        return dialect.like(left.sql, _pattern(right, binds), negated=operator == "!~")
    return left.sql.bool_op(operator)(right.sql)


def compare_all(left: Operand, operator: Operator, right: Operand, dialect: Dialect, binds: Binds) -> Expression:
    """Like `compare`, and no related row may disagree when an operand has many values."""
    condition = compare(left, operator, right, dialect, binds)
    sets = [operand.related() if operand.related else None for operand in (left, right)]
    related = [rows for rows in sets if rows is not None]
    if not related:
        return condition
    one, other = (_anew(operand, rows) for operand, rows in zip((left, right), sets, strict=True))
    disagrees = not_(compare(one, operator, other, dialect, binds))
    ties = [rows.where for rows in related if rows.where is not None]
    # each set is a FROM of its own: two of them are compared pair by pair
    found: Select[Any] = select(literal_column("1")).select_from(*(rows.rows for rows in related))
    search = found.where(*ties, disagrees)
    return and_(condition, not_(exists(search)))


def equal(left: Operand, right: Operand, dialect: Dialect, *, negated: bool) -> Expression:
    """Whether two operands are the same, or with `negated` differ."""
    if left.is_strict or right.is_strict:
        return dialect.is_same(left.sql, right.sql, negated=negated)
    if left.is_empty and right.is_empty:
        return false() if negated else true()
    if left.is_filled or right.is_filled:
        return dialect.is_same(left.sql, right.sql, negated=True) if negated else left.sql == right.sql
    if left.is_empty or right.is_empty:
        return _is_empty(right.sql if left.is_empty else left.sql, negated=negated)
    one, other = func.coalesce(left.sql, _EMPTY), func.coalesce(right.sql, _EMPTY)
    return one != other if negated else one == other


def _is_empty(value: Expression, *, negated: bool) -> Expression:
    if negated:
        return and_(value != _EMPTY, value.is_not(None))
    return or_(value == _EMPTY, value.is_(None))


def _pattern(right: Operand, binds: Binds) -> Expression:
    if right.source is None:
        return literal_column("'%'").concat(right.sql).concat(literal_column("'%'"))
    return binds.add(_pattern_source(right.source))


def _pattern_source(source: Source) -> Source:
    def pattern(inputs: Inputs) -> str | int | float | bytes | None:
        return like_pattern(source(inputs))

    return pattern


def _anew(operand: Operand, rows: RelatedRows | None) -> Operand:
    if rows is None:
        return operand
    return Operand(rows.value, is_strict=operand.is_strict, is_filled=operand.is_filled)
