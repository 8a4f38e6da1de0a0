"""Walking a dotted path from a place through relations to a column.

`author.mentor.name` joins twice and ends at a column; `posts_via_author.title`
goes backwards; `meta.dim.w` ends inside JSON. A path is walked twice when its
operand has many values: once in the joins of the statement, and once on its own
for the rows that must all agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import FromClause, and_, case, literal_column, or_
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import index_of
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.seals import cell_name, index_name
from undercroft.database.dialect import Expression
from undercroft.query.build import Build, Place
from undercroft.query.errors import FilterError, UnknownField
from undercroft.query.joins import collection_table
from undercroft.query.operand import Operand
from undercroft.query.sealed import refuse_parts

MAX_HOPS = 6
MODIFIERS = frozenset({"", "each", "length", "lower", "isset", "changed"})
_COUNTED = frozenset({"select", "relation", "file"})

_EMPTY: Expression = literal_column("''")

Form = Literal["", "index", "cell"]
FORMS: Sequence[Form] = ("index", "cell")
JoinRule = Callable[[Build, Place], None]
"""Called for every related collection a caller's own filter joins; may refuse."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How a path is walked: `join_rule` is set for filters of callers who are no superusers."""

    build: Build
    join_rule: JoinRule | None
    at: int
    form: Form = ""
    ends: list[tuple[Collection, Field]] = field(default_factory=list)
    """The encrypted field at the end of the path, where it has one and no form of it was asked for."""

    @property
    def is_trusted(self) -> bool:
        return self.join_rule is None

    def to_operand(self, start: Place, key: str, path: Sequence[str], modifier: str) -> tuple[Operand, bool]:
        """The operand at the end of a path, and whether it can have many values.

        Raises `UnknownField` and `FilterError`.
        """
        place, is_many = start, False
        for hops, name in enumerate(path, 1):
            rest = path[hops:]
            field = self._field(place, name)
            if field is not None and self._ends_at(field, rest):
                operand, each = self._column(place, key, field, rest, modifier)
                return operand, is_many or each
            if hops > MAX_HOPS:
                raise FilterError(f"The path goes over more than {MAX_HOPS} relations", self.at)
            key = f"{key}.{name}"
            if isinstance(field, RelationField):
                place, many = self._follow(place, key, field), field.is_multiple
            else:
                place, many = self._follow_back(place, key, name, field)
            is_many = is_many or many
        raise FilterError(f"{path[-1]!r} is a relation to other records; name one of their fields", self.at)

    def _field(self, place: Place, name: str) -> Field | None:
        field = place.collection.field(name)
        if field is not None and field.hidden and not self.is_trusted:
            return None
        return field

    def _ends_at(self, field: Field, rest: Sequence[str]) -> bool:
        if not isinstance(field, RelationField):
            return True
        return not rest or (list(rest) == ["id"] and not field.is_multiple)

    def _column(self, place: Place, key: str, field: Field, rest: Sequence[str], modifier: str) -> tuple[Operand, bool]:
        if field.name in place.collection.sealed_names:
            return self._sealed(place, field, rest, modifier), False
        column = place.column(field.name)
        dialect = self.build.dialect
        if field.column in ("json", "geo"):
            return Operand(self._lowered(dialect.json_path(column, rest), modifier), is_strict=True), False
        if rest and not isinstance(field, RelationField):
            raise FilterError(f"{field.name!r} has no parts, so {'.'.join(rest)!r} cannot be read of it", self.at)
        if modifier == "each" and field.is_multiple:
            return Operand(self._each(key, field, column)), True
        if modifier == "length" and field.type in _COUNTED:
            return Operand(self._length(field, column)), False
        return Operand(self._lowered(column, modifier), guard=self._guard(place, field)), False

    def _sealed(self, place: Place, field: Field, rest: Sequence[str], modifier: str) -> Operand:
        """An encrypted field: its cell, or its fingerprint where that is asked for."""
        refuse_parts(field, rest, modifier, self.at)
        index = index_of(place.collection, field)
        if self.form == "index" and index is not None:
            return Operand(place.column(index_name(field.id, index.number)), guard=self._guard(place, field))
        if not self.form:
            self.ends.append((place.collection, field))
        return Operand(place.column(cell_name(field.id)), guard=self._guard(place, field))

    def _lowered(self, expression: Expression, modifier: str) -> Expression:
        return self.build.dialect.lower(expression) if modifier == "lower" else expression

    def _each(self, key: str, field: Field, column: Expression) -> Expression:
        rows = self._elements(f"{key}.{field.name}", column)
        value: Expression = rows.c["value"]
        return value

    def _length(self, field: Field, column: Expression) -> Expression:
        if field.is_multiple:
            return self.build.dialect.length(column)
        return case((or_(column.is_(None), column == _EMPTY), literal_column("0")), else_=literal_column("1"))

    def _guard(self, place: Place, field: Field) -> Expression | None:
        """E-mail addresses are found only where their owner shows them."""
        if self.is_trusted or not place.collection.is_auth or field.name != "email":
            return None
        return place.column("emailVisibility") == literal_column("1")

    def _elements(self, key: str, column: Expression) -> FromClause:
        def make() -> tuple[FromClause, Expression | None]:
            rows, _ = self.build.dialect.elements(column, self.build.aliases.next())
            return rows, None

        return self.build.joins.outer(f"{key}#each", make, is_multiple=True)

    def _follow(self, place: Place, key: str, field: RelationField) -> Place:
        related = self.build.catalog.find(field.collection_id)
        if related is None:
            raise FilterError(f"The collection of {field.name!r} is missing", self.at)
        column = place.column(field.name)
        if field.is_multiple:
            column = self._elements(key, column).c["value"]
        return self._join(key, related, lambda table: table.c["id"] == column, is_multiple=False)

    def _follow_back(self, place: Place, key: str, name: str, field: Field | None) -> tuple[Place, bool]:
        found = find_back_relation(self.build, place.collection, name) if field is None else None
        if found is None or (found[1].hidden and not self.is_trusted):
            raise UnknownField(name, place.collection.name, self._visible_names(place.collection), self.at)
        collection, relation = found
        is_single = relation.name in collection.uniquely_indexed and not relation.is_multiple

        def on(table: FromClause) -> Expression:
            if relation.is_multiple:
                return self.build.dialect.contains(table.c[relation.name], place.column("id"))
            condition: Expression = table.c[relation.name] == place.column("id")
            return condition

        return self._join(key, collection, on, is_multiple=not is_single), not is_single

    def _join(
        self, key: str, collection: Collection, on: Callable[[FromClause], Expression], *, is_multiple: bool
    ) -> Place:
        self.build.enter(collection)

        def make() -> tuple[NamedFromClause[Any], Expression | None]:
            table = self.build.aliases.of(collection)
            return table, on(table)

        place = Place(collection, self.build.joins.outer(key, make, is_multiple=is_multiple))
        if self.join_rule is not None:
            self.join_rule(self.build, place)
        return place

    def _visible_names(self, collection: Collection) -> list[str]:
        return [field.name for field in collection.fields if self.is_trusted or not field.hidden]


def find_back_relation(build: Build, target: Collection, name: str) -> tuple[Collection, RelationField] | None:
    """The collection and field that a `COLLECTION_via_FIELD` name means, when the field points to `target`."""
    before, separator, field_name = name.rpartition("_via_")
    collection = build.catalog.find(before) if separator else None
    field = collection.field(field_name) if collection else None
    if collection is None or not isinstance(field, RelationField) or field.collection_id != target.id:
        return None
    return collection, field


def root_of(collection: Collection, name: str) -> Place:
    """A collection's table under an alias."""
    return Place(collection, collection_table(collection).alias(name))


def both(left: Expression | None, right: Expression | None) -> Expression | None:
    """The conjunction of two conditions that may be missing."""
    if left is None or right is None:
        return right if left is None else left
    return and_(left, right)
