"""Sums: counts, totals, averages and bounds of records, whole or by group, as one SELECT with its rule inside.

    fields=count(),sum(total)   groupBy=status,created:month   sort=-sum(total)

Names are resolved as those of a filter are: what a caller may not see does not exist. A
condition that goes through relations may meet a record several times; it then selects ids,
and each record counts once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, asc, case, desc, func, literal_column, select

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.relation import RelationField
from undercroft.database.dialect import ColumnKind, Dialect, Expression
from undercroft.errors import BadRequest, did_you_mean
from undercroft.query.binds import Binds
from undercroft.query.build import Build, Place
from undercroft.query.compiler import compile_filter, compile_rule, filter_resolver
from undercroft.query.errors import FilterError
from undercroft.query.joins import Joins, collection_table
from undercroft.query.plan import Plan, Plans
from undercroft.query.resolver import Resolver
from undercroft.query.scope import Scope
from undercroft.query.selects import SECRET_FIELDS
from undercroft.query.sort import SortKey
from undercroft.query.tree import NameNode

MAX_MEASURES: Final = 10
MAX_KEYS: Final = 4
UNITS: Final = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%d %H"}
_TAKES: Final[dict[str, tuple[ColumnKind, ...]]] = {
    "count": (),
    "sum": ("number",),
    "avg": ("number",),
    "min": ("number", "date"),
    "max": ("number", "date"),
}
_GROUPED: Final[tuple[ColumnKind, ...]] = ("id", "text", "number", "bool", "date")
_PATH: Final = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_MEASURE: Final = re.compile(rf"\s*(\w+)\s*\(\s*({_PATH}|\*)?\s*\)\s*", re.ASCII)
_KEY: Final = re.compile(rf"\s*({_PATH})(?::(\w+))?\s*", re.ASCII)


class AggregateError(BadRequest):
    """What is to be counted, summed or grouped cannot be."""

    code = "invalid_aggregate"

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid aggregate: {text}")


@dataclass(frozen=True, slots=True)
class Measure:
    """One function of the records of a group."""

    function: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.function}({self.path})"


@dataclass(frozen=True, slots=True)
class Key:
    """What records are grouped by; a moment by its `unit`."""

    path: str
    unit: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.unit}" if self.unit else self.path


@dataclass(frozen=True, slots=True)
class Sums:
    """What is asked of a collection. `rule` is None when no rule applies. Named values: limit, offset."""

    collection: str
    rule: str | None
    shape: str | None
    measures: tuple[Measure, ...]
    keys: tuple[Key, ...]
    sort: tuple[SortKey, ...] = ()


def parse_measures(text: str) -> tuple[Measure, ...]:
    """The functions of a text such as `count(),sum(total)`. Raises `AggregateError`."""
    return tuple(dict.fromkeys(_parse_measure(part) for part in _parts(text or "count()", MAX_MEASURES, "fields")))


def parse_keys(text: str) -> tuple[Key, ...]:
    """The keys of a text such as `status,created:month`. Raises `AggregateError`."""
    return tuple(dict.fromkeys(_parse_key(part) for part in _parts(text, MAX_KEYS, "groupBy"))) if text else ()


def _parts(text: str, most: int, parameter: str) -> list[str]:
    parts = text.split(",")
    if len(parts) > most:
        raise AggregateError(f"{parameter!r} has more than {most} parts.")
    return parts


def _parse_measure(part: str) -> Measure:
    found = _MEASURE.fullmatch(part)
    if found is None:
        raise AggregateError(f"{part.strip()[:80]!r} is no function of a field, as sum(total) is.")
    function, path = found[1], "" if found[2] in (None, "*") else found[2]
    if function not in _TAKES:
        known = ", ".join(_TAKES)
        raise AggregateError(f"there is no function {function!r}; there are {known}.{did_you_mean(function, _TAKES)}")
    if bool(path) != bool(_TAKES[function]):
        raise AggregateError(f"{function}() takes {'a field' if not path else 'no field: it counts records'}.")
    return Measure(function, path)


def _parse_key(part: str) -> Key:
    found = _KEY.fullmatch(part)
    if found is None:
        raise AggregateError(f"{part.strip()[:80]!r} is no field to group by.")
    if found[2] and found[2] not in UNITS:
        raise AggregateError(f"{found[2]!r} is no unit of time; there are {', '.join(UNITS)}.")
    return Key(found[1], found[2] or "")


def plan_sums(plans: Plans, catalog: Catalog, sums: Sums, scope: Scope) -> Plan:
    """The plan of what is asked. Its last column, without a name, is how many groups there are.

    Raises `AggregateError` and `FilterError`.
    """
    plan = plans.find(catalog, sums, scope)
    return plan or plans.keep(catalog, sums, scope, _Maker(catalog, plans.dialect, sums, scope).make())


def field_at(catalog: Catalog, collection: Collection, path: str) -> Field | None:
    """The field at the end of a path over relations."""
    home: Collection | None = collection
    field: Field | None = None
    for name in path.split("."):
        field = home.field(name) if home is not None else None
        home = catalog.find(field.collection_id) if isinstance(field, RelationField) else None
    return field


class _Maker:
    def __init__(self, catalog: Catalog, dialect: Dialect, sums: Sums, scope: Scope) -> None:
        self.sums, self.dialect, self.scope, self.catalog = sums, dialect, scope, catalog
        self.collection = catalog.collection(sums.collection)
        table: Any = collection_table(self.collection).alias("r")
        self.build = Build(catalog, dialect, scope, Joins(table), Binds())
        self.place = Place(self.collection, table)

    def make(self) -> Plan:
        conditions = self._conditions()
        if self.build.joins.is_multiple:
            conditions = [self._by_ids(conditions)]
        resolver = filter_resolver(self.build, self.place, is_trusted=self.scope.is_superuser)
        keys = {key.name: self._key(resolver, key) for key in self.sums.keys}
        named = keys | {measure.name: self._measure(resolver, measure) for measure in self.sums.measures}
        found = [expression.label(f"c{number}") for number, expression in enumerate(named.values())]
        total = func.count().over().label("groups")
        statement: Select[Any] = select(*found, total).select_from(self.build.joins.rows)
        statement = statement.where(*conditions, *self.build.conditions)
        if keys:
            statement = statement.group_by(*keys.values())
            statement = statement.order_by(*self._order(named))
        binds = self.build.binds
        statement = statement.limit(binds.named("limit", "number")).offset(binds.named("offset", "number"))
        sql, order = self.dialect.render(statement)
        return Plan(sql, tuple(binds.sources[name] for name in order), tuple(named), tuple(self.build.looks))

    def _conditions(self) -> list[Expression]:
        sums, found = self.sums, list[Expression]()
        if sums.rule:
            found.append(compile_rule(self.build, self.place, sums.rule))
        if sums.shape is not None:
            found.append(compile_filter(self.build, self.place, sums.shape, is_trusted=self.scope.is_superuser))
        return found

    def _by_ids(self, conditions: Sequence[Expression]) -> Expression:
        """The conditions as a set of ids, and a fresh start outside of it."""
        inner = select(self.place.column("id")).select_from(self.build.joins.rows)
        inner = inner.where(*conditions, *self.build.conditions)
        self.place = self.place.anew(self.build.aliases.next())
        self.build = self.build.beside(self.place.table)
        return self.place.column("id").in_(inner)

    def _key(self, resolver: Resolver, key: Key) -> Expression:
        value, field = self._resolve(resolver, key.path, "grouped by")
        if key.unit and field.column != "date":
            raise AggregateError(f"{key.path!r} holds no dates, so it has no {key.unit}.")
        if field.column not in _GROUPED or field.is_multiple:
            raise AggregateError(f"records cannot be grouped by {key.path!r}: a {field.type} holds several values.")
        if key.unit:
            return self.dialect.strftime([literal_column(f"'{UNITS[key.unit]}'"), value])
        return value

    def _measure(self, resolver: Resolver, measure: Measure) -> Expression:
        if not measure.path:
            return func.count()
        value, field = self._resolve(resolver, measure.path, "summed up")
        takes = _TAKES[measure.function]
        if field.column not in takes or field.is_multiple:
            what = " or ".join({"number": "numbers", "date": "dates"}[kind] for kind in takes)
            raise AggregateError(f"{measure.function}() takes {what}, and {measure.path!r} is a {field.type}.")
        if field.column == "date":
            value = case((value != literal_column("''"), value))
        applied: Expression = getattr(func, measure.function)(value)
        return applied

    def _resolve(self, resolver: Resolver, path: str, how: str) -> tuple[Expression, Field]:
        field = field_at(self.catalog, self.collection, path)
        if field is not None and field.hidden and field.name in SECRET_FIELDS and self.scope.is_superuser:
            raise AggregateError(f"{path!r} is secret.")
        try:
            operand = resolver.operand(NameNode(tuple(path.split(".")), "", -1))
        except FilterError as error:
            raise AggregateError(error.message().removeprefix("Invalid filter: ")) from error
        if field is None or operand.related is not None:
            raise AggregateError(f"{path!r} cannot be {how}: it leads to several values.")
        return operand.sql if operand.guard is None else case((operand.guard, operand.sql)), field

    def _order(self, named: dict[str, Expression]) -> list[Any]:
        chosen = {key.name: key.is_descending for key in self.sums.sort}
        for name in chosen:
            if name not in named:
                hint = did_you_mean(name, list(named))
                raise AggregateError(f"there is no {name!r} to sort by; there are {', '.join(named)}.{hint}")
        for key in self.sums.keys:
            chosen.setdefault(key.name, False)
        return [desc(named[name]) if is_down else asc(named[name]) for name, is_down in chosen.items()]
