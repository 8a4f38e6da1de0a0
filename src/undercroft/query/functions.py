"""The functions of the filter language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import and_

from undercroft.database.dialect import Dialect, Expression
from undercroft.query.build import Build
from undercroft.query.errors import FilterError
from undercroft.query.operand import Operand, RelatedRows
from undercroft.query.tree import CallNode, LiteralNode, OperandNode

MAX_STRFTIME_ARGUMENTS = 10
GEO_ARGUMENTS = 4

Resolve = Callable[[OperandNode], Operand]


def call(node: CallNode, resolve: Resolve, build: Build) -> Operand:
    """The SQL of a function call. Raises `FilterError` for an unknown one or wrong arguments."""
    if node.name == "geoDistance":
        return _geo_distance(node, resolve, build.dialect)
    if node.name == "strftime":
        return _strftime(node, resolve, build.dialect)
    raise FilterError(f"There is no function {node.name!r}; there are geoDistance and strftime", node.at)


def _geo_distance(node: CallNode, resolve: Resolve, dialect: Dialect) -> Operand:
    if len(node.arguments) != GEO_ARGUMENTS:
        raise FilterError("geoDistance takes four arguments: lonA, latA, lonB, latB", node.at)
    for argument in node.arguments:
        if isinstance(argument, LiteralNode) and argument.kind != "number":
            raise FilterError("geoDistance takes numbers and fields, no texts", node.at)
    operands = [resolve(argument) for argument in node.arguments]
    lon_a, lat_a, lon_b, lat_b = (operand.sql for operand in operands)
    return Operand(dialect.geo_distance(lon_a, lat_a, lon_b, lat_b), is_strict=True, guard=_guard(operands))


def _strftime(node: CallNode, resolve: Resolve, dialect: Dialect) -> Operand:
    if not 1 <= len(node.arguments) <= MAX_STRFTIME_ARGUMENTS:
        raise FilterError(f"strftime takes 1 to {MAX_STRFTIME_ARGUMENTS} arguments: format, time, modifiers", node.at)
    for number, argument in enumerate(node.arguments):
        is_text = isinstance(argument, LiteralNode) and argument.kind != "number"
        if number != 1 and not is_text:
            raise FilterError("The format and the modifiers of strftime must be texts", node.at)
    operands = [resolve(argument) for argument in node.arguments]
    moment = operands[1] if len(operands) > 1 else None
    related = None if moment is None or moment.related is None else _each_moment(operands, moment.related, dialect)
    return Operand(dialect.strftime([operand.sql for operand in operands]), related=related, guard=_guard(operands))


def _guard(operands: Sequence[Operand]) -> Expression | None:
    guards = [operand.guard for operand in operands if operand.guard is not None]
    return and_(*guards) if guards else None


def _each_moment(
    operands: Sequence[Operand], related: Callable[[], RelatedRows], dialect: Dialect
) -> Callable[[], RelatedRows]:
    def rows() -> RelatedRows:
        moments = related()
        arguments: list[Expression] = [operand.sql for operand in operands]
        arguments[1] = moments.value
        return RelatedRows(moments.rows, dialect.strftime(arguments), moments.where)

    return rows
