"""From a tree to one SQL condition.

    text -> lex -> shape + literals -> parse -> tree -> compile -> condition

Rules are trusted text with constant literals; a caller's own filter brings its
literals along at every request, so its statement is cached by shape.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, exists, literal_column, or_, select, true

from undercroft.database.dialect import Expression
from undercroft.query.build import Build, Place
from undercroft.query.compare import compare, compare_all
from undercroft.query.errors import FilterError
from undercroft.query.parser import parse_filter, parse_shape
from undercroft.query.resolver import Resolver, relation_rule
from undercroft.query.sealed import unsealed
from undercroft.query.tree import And, Comparison, Node


def compile_rule(build: Build, place: Place, rule: str, key: str = "") -> Expression:
    """The condition of a rule at a place; true for the empty rule. Raises `FilterError`."""
    if not rule:
        return true()
    node, lexed = parse_filter(rule)
    return compile_node(node, Resolver(build.within(None), place, key, lexed.literals))


def compile_filter(build: Build, place: Place, shape: str, *, is_trusted: bool) -> Expression:
    """The condition of a caller's filter shape at a place. Raises `FilterError`."""
    return compile_node(parse_shape(shape), filter_resolver(build, place, is_trusted=is_trusted))


def filter_resolver(build: Build, place: Place, *, is_trusted: bool) -> Resolver:
    """A resolver for what the caller wrote: a filter or a sort, which leads no further than their API key."""

    def compile_at(at: Build, related: Place, rule: str) -> Expression:
        return compile_rule(at, related, rule, key=related.table.name)

    identity = build.scope.identity
    inside = build.within(identity.reach if identity is not None else None)
    return Resolver(inside, place, "", None, None if is_trusted else relation_rule(compile_at))


def compile_apart(build: Build, place: Place, rule: str) -> Expression:
    """The condition of a rule that shares no joins with the rest of its statement.

    Used for what is asked about a record beside the statement's own question, such
    as who manages it. Needs no subquery when the rule joins nothing.
    """
    beside = build.beside(place.table)
    condition = compile_rule(beside, place, rule)
    if beside.joins.is_plain:
        return condition
    fresh = place.anew(build.aliases.next())
    beside = build.beside(fresh.table)
    condition = compile_rule(beside, fresh, rule)
    search: Select[Any] = select(literal_column("1")).select_from(beside.joins.rows)
    return exists(search.where(fresh.column("id") == place.column("id"), condition))


def compile_node(node: Node, resolver: Resolver) -> Expression:
    """The condition of a tree."""
    if isinstance(node, Comparison):
        return _comparison(node, resolver)
    parts = [compile_node(item, resolver) for item in node.items]
    return and_(*parts) if isinstance(node, And) else or_(*parts)


def _comparison(node: Comparison, resolver: Resolver) -> Expression:
    build = resolver.build
    try:
        left, right = resolver.side(node.left), resolver.side(node.right)
        left, right = unsealed(left, node.operator, right, build.binds)
    except FilterError as error:
        raise error if error.at >= 0 else error.moved(node.start) from None
    decide = compare if node.is_any else compare_all
    condition = decide(left, node.operator, right, build.dialect, build.binds)
    guards = [operand.guard for operand in (left, right) if operand.guard is not None]
    return and_(condition, *guards) if guards else condition
