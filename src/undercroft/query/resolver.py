"""Resolving the operands of a filter to SQL.

A resolver stands at a place (a collection and an alias) and knows whether the
text it reads is trusted: rules and superusers are; a caller's own filter is not,
and may not touch hidden fields, request data, other collections, or relations
whose list rule is null. Where such a filter goes through a relation with a list
rule, that rule must hold for the joined record as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import FromClause, and_, case, literal_column, null, or_
from sqlalchemy.sql.selectable import NamedFromClause

from undercroft.collections.collection import Collection
from undercroft.collections.fields.relation import RelationField
from undercroft.database.dialect import ColumnKind, Expression
from undercroft.query.binds import Inputs, Source, literal_source
from undercroft.query.build import Build, Place
from undercroft.query.compare import equal
from undercroft.query.errors import FilterError
from undercroft.query.functions import call
from undercroft.query.macros import MACROS, macro_kind, macro_value
from undercroft.query.operand import Operand, RelatedRows
from undercroft.query.paths import FORMS, MODIFIERS, Form, JoinRule, Walk
from undercroft.query.request import bind_value, check_request_name, is_set, request_value
from undercroft.query.sealed import Forms, as_plain, sealed_side, unsealed
from undercroft.query.tree import CallNode, LiteralNode, NameNode, OperandNode

_ONE: Expression = literal_column("1")
_ZERO: Expression = literal_column("0")
_KEYWORDS: dict[str, Operand] = {
    "null": Operand(null(), is_empty=True),
    "true": Operand(_ONE, is_filled=True),
    "false": Operand(_ZERO, is_filled=True),
}


@dataclass(frozen=True, slots=True)
class Start:
    """Where a path begins: how its first rows are had, now and anew."""

    place: Place
    key: str
    again: Callable[[], tuple[Place, Expression | None]]
    is_many: bool = False


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves names at one place. `constants` are the literals of a rule; None means those of the request's filter."""

    build: Build
    place: Place
    key: str
    constants: Sequence[str | float] | None
    join_rule: JoinRule | None = None

    def operand(self, node: OperandNode) -> Operand:
        """The SQL of an operand of anything but a comparison. Raises `FilterError` and `UnknownField`."""
        return as_plain(self.side(node))

    def side(self, node: OperandNode) -> Operand:
        """One side of a comparison, which may be an encrypted field. Raises `FilterError` and `UnknownField`."""
        if isinstance(node, LiteralNode):
            return self._literal(node)
        if isinstance(node, CallNode):
            return call(node, self.operand, self.build)
        if node.text in MACROS:
            source: Source = _macro_source(node.text)
            return Operand(self.build.binds.add(source, macro_kind(node.text)), is_filled=True, source=source)
        if node.path[0] == "@request":
            return self._request(node)
        if node.path[0] == "@collection":
            return self._any_collection(node)
        keyword = _KEYWORDS.get(node.text.lower())
        if keyword is not None and not node.modifier and node.text not in self.place.collection.by_name:
            return keyword
        return self._walk(self._here(), node.path, node.modifier, node.at)

    def _literal(self, node: LiteralNode) -> Operand:
        if node.kind == "empty":
            return Operand(literal_column("''"), is_empty=True, source=lambda _: "")
        source = literal_source(node.index) if self.constants is None else _constant(self.constants[node.index])
        return Operand(self.build.binds.add(source, node.kind), is_filled=True, source=source)

    def _here(self) -> Start:
        def again() -> tuple[Place, Expression | None]:
            fresh = self.place.anew(self.build.aliases.next())
            return fresh, fresh.column("id") == self.place.column("id")

        return Start(self.place, self.key, again)

    def _walk(self, start: Start, path: Sequence[str], modifier: str, at: int, form: Form = "") -> Operand:
        if modifier not in MODIFIERS:
            raise FilterError(f"There is no modifier {modifier!r}", at)
        walk = Walk(self.build, self.join_rule, at, form)
        operand, is_many = walk.to_operand(start.place, start.key, path, modifier)
        for collection, field in walk.ends:
            forms = Forms(*(partial(self._walk, start, path, "", at, wanted) for wanted in FORMS))
            return replace(operand, sealed=sealed_side(collection, field, forms, at))
        if not (is_many or start.is_many):
            return operand

        def related() -> RelatedRows:
            place, where = start.again()
            beside = self.build.beside(place.table)
            again, _ = Walk(beside, self.join_rule, at, form).to_operand(place, "", path, modifier)
            value = again.sql if again.guard is None else case((again.guard, again.sql))
            return RelatedRows(beside.joins.rows, value, _all_of(where, beside.conditions))

        return replace(operand, related=related)

    def _any_collection(self, node: NameNode) -> Operand:
        if len(node.path) < 3:
            raise FilterError(f"{node.text!r} names no field", node.at)
        name = node.path[1].partition(":")[0]
        collection = self.build.catalog.find(name)
        if collection is None:
            raise FilterError(f"There is no collection {name!r}", node.at)
        start = self._joined_start(collection, f"@collection.{node.path[1]}", lambda _: None, is_many=True)
        return self._walk(start, node.path[2:], node.modifier, node.at)

    def _joined_start(
        self, collection: Collection, key: str, on: Callable[[Place], Expression | None], *, is_many: bool
    ) -> Start:
        self.build.enter(collection)

        def make() -> tuple[Place, Expression | None]:
            place = Place(collection, self.build.aliases.of(collection))
            return place, on(place)

        def joined() -> tuple[NamedFromClause[Any], Expression | None]:
            place, condition = make()
            return place.table, condition

        table = self.build.joins.outer(key, joined, is_multiple=is_many)
        return Start(Place(collection, table), key, make, is_many)

    def _request(self, node: NameNode) -> Operand:
        check_request_name(node)
        path, modifier = node.path[1:], node.modifier
        if modifier not in MODIFIERS:
            raise FilterError(f"There is no modifier {modifier!r}", node.at)
        if modifier == "isset" and path[0] != "auth":
            return self._value(lambda inputs: int(is_set(path, inputs.scope)), "number", is_filled=True)
        if modifier == "changed" and path[0] == "body":
            return self._changed(node)
        if path[0] == "auth" and len(path) > 2:
            return self._auth_path(node)
        if path[0] == "body":
            return self._body(node)
        return self._lowered(self._request_value(path), modifier)

    def _request_value(self, path: Sequence[str]) -> Operand:
        state = self.build.state(path)
        if state == "null":
            return Operand(null(), is_empty=True, source=lambda _: None)
        if state == "empty":
            return Operand(literal_column("''"), is_empty=True, source=lambda _: "")
        kind: ColumnKind = "number" if state == "number" else "text"
        return self._value(lambda inputs: bind_value(request_value(path, inputs.scope)), kind, is_filled=True)

    def _value(self, source: Source, kind: ColumnKind, *, is_filled: bool = False) -> Operand:
        return Operand(self.build.binds.add(source, kind), is_filled=is_filled, source=source)

    def _lowered(self, operand: Operand, modifier: str) -> Operand:
        if modifier != "lower" or operand.is_empty:
            return operand
        source = operand.source
        lowered = None if source is None else _lower_source(source)
        return Operand(self.build.dialect.lower(operand.sql), is_filled=operand.is_filled, source=lowered)

    def _auth_path(self, node: NameNode) -> Operand:
        collection = self.build.auth_collection()
        if collection is None or not isinstance(collection.field(node.path[2]), RelationField):
            if collection is not None and self._is_back_relation(collection, node.path[2]):
                return self._walk(self._auth_start(collection), node.path[2:], node.modifier, node.at)
            return self._lowered(self._request_value(node.path[1:]), node.modifier)
        return self._walk(self._auth_start(collection), node.path[2:], node.modifier, node.at)

    def _is_back_relation(self, collection: Collection, name: str) -> bool:
        return "_via_" in name and name not in collection.by_name

    def _auth_start(self, collection: Collection) -> Start:
        caller = self.build.binds.add(lambda inputs: inputs.scope.identity.id if inputs.scope.identity else None)
        return self._joined_start(
            collection, "@request.auth", lambda place: place.column("id") == caller, is_many=False
        )

    def _body(self, node: NameNode) -> Operand:
        path, modifier = node.path[1:], node.modifier
        field = self.place.collection.field(path[1])
        if isinstance(field, RelationField) and len(path) > 2:
            return self._body_relation(node, field)
        is_choice = field is not None and field.type in ("select", "relation", "file")
        if modifier == "each":
            if field is None or not field.is_multiple:
                if is_choice:
                    return self._request_value(path)
                raise FilterError(f"{node.text!r} is no field with several values, so :each has no meaning", node.at)
            return self._body_each(path)
        if modifier == "length" and is_choice:
            return self._value(lambda inputs: _length(request_value(path, inputs.scope)), "number", is_filled=True)
        return self._lowered(self._request_value(path), modifier)

    def _body_each(self, path: Sequence[str]) -> Operand:
        array = self.build.binds.add(lambda inputs: _json_list(request_value(path, inputs.scope)), "json")

        def make() -> tuple[FromClause, Expression | None]:
            rows, _ = self.build.dialect.elements(array, self.build.aliases.next())
            return rows, None

        rows = self.build.joins.outer(("@request", *path), make, is_multiple=True)

        def related() -> RelatedRows:
            again, value = self.build.dialect.elements(array, self.build.aliases.next())
            return RelatedRows(again, value, None)

        return Operand(rows.c["value"], related=related)

    def _body_relation(self, node: NameNode, field: RelationField) -> Operand:
        collection = self.build.catalog.find(field.collection_id)
        if collection is None:
            raise FilterError(f"The collection of {field.name!r} is missing", node.at)
        path = node.path[1:3]
        ids = self.build.binds.add(lambda inputs: _id_list(request_value(path, inputs.scope)), "list")

        def on(place: Place) -> Expression:
            return self.build.dialect.any_of(place.column("id"), ids)

        start = self._joined_start(collection, f"@request.body.{field.name}", on, is_many=field.is_multiple)
        return self._walk(start, node.path[3:], node.modifier, node.at)

    def _changed(self, node: NameNode) -> Operand:
        """1 when the value was submitted and differs from the stored one, else 0."""
        submitted = self._request_value(node.path[1:])
        stored = self._walk(self._here(), node.path[2:], "", node.at)
        submitted, stored = unsealed(submitted, "!=", stored, self.build.binds)
        is_submitted = self._value(lambda inputs: int(is_set(node.path[1:], inputs.scope)), "number")
        differs = and_(is_submitted.sql == _ONE, equal(submitted, stored, self.build.dialect, negated=True))
        return Operand(case((differs, _ONE), else_=_ZERO), is_filled=True)


def relation_rule(compile_at: Callable[[Build, Place, str], Expression]) -> JoinRule:
    """What happens where a caller's filter joins a related collection: its list rule must hold."""

    def check(build: Build, place: Place) -> None:
        rule, alias = place.collection.list_rule, place.table.name
        if rule is None:
            raise FilterError(f"Only superusers can filter through {place.collection.name!r}")
        if rule and alias not in build.ruled:
            build.ruled.add(alias)
            build.conditions.append(or_(place.column("id").is_(None), compile_at(build, place, rule)))

    return check


def _all_of(first: Expression | None, others: Sequence[Expression]) -> Expression | None:
    found = [condition for condition in (first, *others) if condition is not None]
    return and_(*found) if found else None


def _constant(value: str | float) -> Source:
    return lambda _: value


def _macro_source(name: str) -> Source:
    return lambda _: macro_value(name)


def _lower_source(source: Source) -> Source:
    def lowered(inputs: Inputs) -> str | int | float | bytes | None:
        value = source(inputs)
        return value.lower() if isinstance(value, str) else value

    return lowered


def _length(value: object) -> int:
    if isinstance(value, list | tuple):
        return len(value)
    return 1 if value else 0


def _json_list(value: object) -> str | None:
    """A JSON array of the values; a lone value is its own only element."""
    return None if value is None else _id_list(value if isinstance(value, list) else [value])


def _id_list(value: object) -> str | None:
    items = value if isinstance(value, list) else [value] if value else []
    return bind_value(items)  # type: ignore[return-value]  # a list becomes JSON text
