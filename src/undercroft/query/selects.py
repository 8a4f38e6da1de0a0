"""The questions asked of a collection, each as one SELECT with its rule inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CTE, Select, TableClause, case, func, literal_column, or_, select
from sqlalchemy.sql.selectable import NamedFromClause
from sqlalchemy.sql.visitors import iterate

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.indexes import parse_indexes
from undercroft.collections.seals import Column
from undercroft.database.dialect import Dialect, Expression
from undercroft.database.engine import Choice
from undercroft.query.binds import Binds
from undercroft.query.build import Build, Place
from undercroft.query.compiler import compile_apart, compile_filter, compile_rule, filter_resolver
from undercroft.query.joins import Joins, collection_table
from undercroft.query.plan import Plan, Plans
from undercroft.query.scope import Scope
from undercroft.query.sealed import cell_source, draft_fingerprint_source
from undercroft.query.sort import SortKey, compile_sort, order_by

_NEW = "new_record"
SECRET_FIELDS = frozenset({"password", "tokenKey"})

Kind = Literal["page", "count", "one", "stored", "test", "related", "referring", "draft"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection.

    page       the records of a page             named values: limit, offset
    count      how many there are
    one        one record                        id
    stored     one record with every column, in field order      id
    test       whether a record satisfies the rule               id
    related    the records with the ids of a JSON array          ids
    referring  the records whose `via` field points to one of a JSON array of ids, the first so many for
               each; first column the id   ids, each, limit
    draft      whether a record not yet stored satisfies the rule          one value a field name

    `rule` is None when no rule applies, as for superusers.
    """

    kind: Kind
    collection: str
    rule: str | None = None
    shape: str | None = None
    sort: tuple[SortKey, ...] = ()
    via: str = ""
    columns: tuple[str, ...] | None = None


def visible_columns(collection: Collection, *, is_superuser: bool) -> tuple[str, ...]:
    """The names of what a kind of caller may see, in the order of the wire: by key."""
    known: dict[bool, tuple[str, ...]] = collection.__dict__.setdefault("_visible", {})
    if is_superuser not in known:
        known[is_superuser] = _visible_columns(collection, is_superuser=is_superuser)
    return known[is_superuser]


def _visible_columns(collection: Collection, *, is_superuser: bool) -> tuple[str, ...]:
    secret = SECRET_FIELDS if collection.is_auth else frozenset()
    names = [field.name for field in collection.fields if is_superuser or not field.hidden]
    return tuple(sorted(name for name in names if name not in secret))


def plan_for(plans: Plans, catalog: Catalog, question: Question, scope: Scope) -> Plan:
    """The plan of a question for a caller."""
    plan = plans.find(catalog, question, scope)
    if plan is None:
        plan = plans.keep(catalog, question, scope, make_plan(catalog, plans.dialect, question, scope))
    return plan


def make_plan(catalog: Catalog, dialect: Dialect, question: Question, scope: Scope) -> Plan:
    """Compile a question. Raises `FilterError` and `SortError`."""
    maker = _Maker(catalog, dialect, question, scope)
    statement, columns = maker.make()
    sql, order = dialect.render(statement)
    hint = maker.walk_hint()
    if hint:
        walking = statement.with_hint(maker.place.table, hint)
        sql = Choice(sql, dialect.render(walking)[0])
    sources = maker.build.binds.sources
    return Plan(sql, tuple(sources[name] for name in order), columns, tuple(maker.build.looks))


def asks_others(catalog: Catalog, dialect: Dialect, question: Question, scope: Scope) -> bool:
    """Whether a `draft` question looks at stored records as well. Raises `FilterError`."""
    statement, _ = _Maker(catalog, dialect, question, scope).make()
    return any(isinstance(part, TableClause) for part in iterate(statement))


class _Maker:
    """One question being compiled."""

    def __init__(self, catalog: Catalog, dialect: Dialect, question: Question, scope: Scope) -> None:
        self.question = question
        self.collection = catalog.collection(question.collection)
        self.scope = scope
        binds, is_draft = Binds(), question.kind == "draft"
        rows = _draft(self.collection, dialect, binds) if is_draft else collection_table(self.collection)
        table: NamedFromClause[Any] = rows.alias("r")
        self.build = Build(catalog, dialect, scope, Joins(table), binds)
        self.place = Place(self.collection, table)

    def make(self) -> tuple[Select[Any], tuple[str, ...]]:
        kind = self.question.kind
        conditions = self._conditions()
        if kind == "count":
            return self._count(conditions), ("count",)
        if kind in ("test", "draft"):
            return self._test(conditions), ("found",)
        columns = self._columns()
        ordering = self._ordering()
        statement: Select[Any] = select(*(self._output(name) for name in columns))
        if kind == "referring":
            statement, columns = self._referring(statement), ("", *columns)
        statement = statement.select_from(self.build.joins.rows).where(*conditions, *self._unsaid(conditions))
        is_grouped = self.build.joins.is_multiple
        if is_grouped:
            statement = statement.group_by(*self._group())
        is_strict = is_grouped and self.build.dialect.groups_strictly
        parts = [order_by(o, key, is_grouped=is_grouped, is_strict=is_strict) for o, key in ordering]
        statement = statement.order_by(*parts, *self._tie_break())
        return self._first_of_each(statement) if kind == "referring" else self._limited(statement), columns

    def _test(self, conditions: Sequence[Expression]) -> Select[Any]:
        found: Select[Any] = select(literal_column("1")).select_from(self.build.joins.rows)
        return found.where(*conditions).limit(literal_column("1"))

    def walk_hint(self) -> str:
        """How to follow the sort through its index, when there is one and it is a question of choice."""
        question, collection = self.question, self.collection
        is_chosen = question.kind == "page" and (question.rule or question.shape is not None)
        if not is_chosen or not question.sort or self.build.joins.is_multiple or collection.is_view:
            return ""
        index = _index_for(collection, question.sort[0].name)
        return "" if index is None else self.build.dialect.walk_hint(collection.name, index)

    def _conditions(self) -> list[Expression]:
        question, build = self.question, self.build
        found = [self._target()] if question.kind not in ("page", "count", "draft") else []
        if question.rule:
            found.append(compile_rule(build, self.place, question.rule))
        if question.shape is not None:
            found.append(compile_filter(build, self.place, question.shape, is_trusted=self.scope.is_superuser))
        found.extend(build.conditions)
        return found

    def _unsaid(self, said: Sequence[Expression]) -> list[Expression]:
        """Conditions that the sort brought in after the filter's were collected."""
        return [condition for condition in self.build.conditions if not any(condition is known for known in said)]

    def _target(self) -> Expression:
        kind, binds = self.question.kind, self.build.binds
        if kind == "related":
            return self.build.dialect.any_of(self.place.column("id"), binds.named("ids", "list"))
        if kind == "referring":
            return self._parent_id().in_(select(self._parents().c["value"]))
        return self.place.column("id") == binds.named("id")

    def _columns(self) -> tuple[str, ...]:
        if self.question.kind == "stored":
            return tuple(field.name for field in self.collection.fields)
        if self.question.columns is not None:
            return self.question.columns
        return visible_columns(self.collection, is_superuser=self.scope.is_superuser)

    def _output(self, name: str) -> Expression:
        column = self.place.column(self.collection.read_columns[name])
        is_address = self.collection.is_auth and name == "email"
        if is_address and name in self.collection.sealed_names:
            column = func.coalesce(column, literal_column("''"))  # NULL is for an address that is not shown
        if not is_address or self.scope.is_superuser or self.question.kind == "stored":
            return column
        return case((or_(*self._may_see_address()), column)).label("email")

    def _may_see_address(self) -> list[Expression]:
        """When the e-mail address of an account is shown: by its own wish, to itself, to its managers."""
        reasons: list[Expression] = [self.place.column("emailVisibility") == literal_column("1")]
        identity = self.scope.identity
        if identity is not None and identity.collection.id == self.collection.id:
            caller = self.build.binds.add(lambda inputs: inputs.scope.identity.id if inputs.scope.identity else None)
            reasons.append(self.place.column("id") == caller)
        auth = self.collection.auth
        if auth is not None and auth.manage_rule:
            reasons.append(compile_apart(self.build, self.place, auth.manage_rule))
        return reasons

    def _ordering(self) -> list[tuple[Any, SortKey]]:
        resolver = filter_resolver(self.build, self.place, is_trusted=self.scope.is_superuser)
        return list(compile_sort(self.build, self.place, self.question.sort, resolver))

    def _tie_break(self) -> list[Expression]:
        if self.question.kind not in ("page", "referring"):
            return []
        last = self.build.dialect.tie_break(self.place.table)
        return [] if last is None else [last]

    def _group(self) -> list[Expression]:
        keys = [self._parent_id()] if self.question.kind == "referring" else []
        if self.collection.is_view and self.build.dialect.groups_strictly:
            names = [self.place.column(field.name) for field in self.collection.fields]
            return [*keys, *names, *self._tie_break()]
        return [*keys, self.place.column("id")]

    def _count(self, conditions: Sequence[Expression]) -> Select[Any]:
        list(self._ordering())  # a sort over a relation narrows the result
        conditions = [*conditions, *self._unsaid(conditions)]
        counted = func.count(self.place.column("id").distinct()) if self.build.joins.is_multiple else func.count()
        return select(counted).select_from(self.build.joins.rows).where(*conditions)

    def _limited(self, statement: Select[Any]) -> Select[Any]:
        binds = self.build.binds
        if self.question.kind == "page":
            return statement.limit(binds.named("limit", "number")).offset(binds.named("offset", "number"))
        if self.question.kind in ("one", "stored"):
            return statement.limit(literal_column("1"))
        return statement

    def _parents(self) -> Any:
        rows, _ = self.build.dialect.elements(self.build.binds.named("ids", "list"), "wanted")
        return rows

    def _parent_id(self) -> Expression:
        relation = self.collection.by_name[self.question.via]
        column = self.place.column(relation.name)
        if not relation.is_multiple:
            return column
        rows = self.build.joins.outer(
            "#parents", lambda: (self.build.dialect.elements(column, "parents")[0], None), is_multiple=True
        )
        value: Expression = rows.c["value"]
        return value

    def _referring(self, statement: Select[Any]) -> Select[Any]:
        return statement.add_columns(self._parent_id()).with_only_columns(
            self._parent_id().label("#parent"), *statement.selected_columns
        )

    def _first_of_each(self, statement: Select[Any]) -> Select[Any]:
        """The records that were made first for each parent, so that no parent takes the room of others."""
        place, binds = self.place, self.build.binds
        made = place.column("id") if self.collection.is_view else self.build.dialect.insertion_order(place.table)
        number = func.row_number().over(partition_by=self._parent_id(), order_by=made).label("#number")
        *columns, counted = statement.add_columns(number).subquery("referring").c
        return select(*columns).where(counted <= binds.named("each", "number")).limit(binds.named("limit", "number"))


def _index_for(collection: Collection, name: str) -> str | None:
    """The index that has all records in the order of a field; empty for the primary key, None without one."""
    if name == "id":
        return ""
    for index in parse_indexes(collection.indexes):
        first = index.columns[0]
        if first.name == name and not first.collate and not index.where:
            return index.name
    return None


def _draft(collection: Collection, dialect: Dialect, binds: Binds) -> CTE:
    """The record to be, as a row of its own."""
    values = [dialect.cast_value(c.kind, _drafted(collection, c, binds)).label(c.name) for c in collection.columns]
    return select(*values).cte(_NEW)


def _drafted(collection: Collection, column: Column, binds: Binds) -> Expression:
    """The bound value of a column of the record to be."""
    name = column.field.name
    if column.index is not None:
        return binds.add(draft_fingerprint_source(name, collection, column.index), "bytes")
    return binds.named(name) if column.role == "plain" else binds.add(cell_source(name, collection), "bytes")
