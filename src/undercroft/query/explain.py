"""Taking a rule apart, to say which of its comparisons hold for a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, literal_column, select
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect, Expression
from undercroft.query.binds import Binds
from undercroft.query.build import Build, Place
from undercroft.query.compiler import compile_node
from undercroft.query.joins import Joins, collection_table
from undercroft.query.lexer import original_offset
from undercroft.query.parser import parse_filter
from undercroft.query.plan import Plan
from undercroft.query.resolver import Resolver
from undercroft.query.scope import Scope
from undercroft.query.tree import comparisons


@dataclass(frozen=True, slots=True)
class RuleParts:
    """The comparisons of a rule as texts, and the statement that judges them.

    The statement takes a JSON array `ids`; its rows are the id, whether the whole rule
    holds, and whether each part does (1 or 0). With many related records a part holds
    when it does for one of them.
    """

    texts: tuple[str, ...]
    plan: Plan


def rule_parts(catalog: Catalog, dialect: Dialect, collection: Collection, rule: str, scope: Scope) -> RuleParts:
    """The parts of a rule for a caller. Raises `FilterError`."""
    node, lexed = parse_filter(rule)
    table: NamedFromClause[Any] = collection_table(collection).alias("r")
    build = Build(catalog, dialect, scope, Joins(table), Binds())
    place = Place(collection, table)
    resolver = Resolver(build, place, "", lexed.literals)
    found = list(comparisons(node))
    judged = [_held(compile_node(part, resolver)) for part in (node, *found)]
    statement: Select[Any] = select(place.column("id"), *judged).select_from(build.joins.rows)
    statement = statement.where(dialect.any_of(place.column("id"), build.binds.named("ids", "list")))
    sql, order = dialect.render(statement.group_by(place.column("id")))
    texts = tuple(_text(rule, part.start, part.end) for part in found)
    return RuleParts(texts, Plan(sql, tuple(build.binds.sources[name] for name in order), (), ()))


def _held(condition: Expression) -> Expression:
    return func.max(case((condition, literal_column("1")), else_=literal_column("0")))


def _text(rule: str, start: int, end: int) -> str:
    part = rule[original_offset(rule, start) : original_offset(rule, end)].strip()
    return part.removesuffix("&&").removesuffix("||").rstrip(" )\t\n") if part.count("(") < part.count(")") else part
