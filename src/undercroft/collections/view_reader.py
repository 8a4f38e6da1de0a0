"""Reading the query of a view with an SQL parser. Import it late: the parser is large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlglot
from msgspec.structs import replace
from sqlglot import exp
from sqlglot.errors import SqlglotError

from undercroft import ids
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.json import JsonField
from undercroft.collections.fields.number import NumberField
from undercroft.collections.fields.primary_key import PATTERN
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.fields.text import TextField
from undercroft.collections.indexes import tokenize
from undercroft.collections.view_origins import clone_id
from undercroft.collections.view_shape import ViewShape

_NUMBERS: Final = frozenset({"DOUBLE", "FLOAT", "DECIMAL"})
_INTEGERS: Final = frozenset({"INT", "BIGINT", "SMALLINT", "TINYINT"})
_SEVERAL: Final = "multiple statements are not supported"
_NO_ID: Final = "missing required id column (you can use `(ROW_NUMBER() OVER()) as id` if you don't have one)"
_WILDCARD: Final = (
    "wildcard columns (*) are not supported - manually type the collection field names you want the view query to have"
)
_UNREADABLE: Final = "the query has a syntax error, or is nested too deeply"
_NO_SELECT: Final = "only a single SELECT is supported; put a UNION or VALUES into a subquery"


class _BadViewError(ValueError):
    """The query cannot be a view; the text says why."""


def shape_of(query: str, catalog: Catalog) -> ViewShape:
    """What a view query yields, in a catalog that says what its columns are."""
    try:
        select = _parse(query, catalog)
    except _BadViewError as error:
        return ViewShape(reason=str(error))
    sources = _sources(select, catalog)
    fields = tuple(_field(item, sources) for item in select.expressions)
    tables = _tables(select)
    names = [field.name for field in fields]
    if "id" not in names:
        return ViewShape(fields, _NO_ID, tables=tables)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        return ViewShape(fields, f"the column {repeated} appears twice", tables=tables)
    return ViewShape(fields, "", _may_be_no_text(select.expressions[names.index("id")], sources), tables)


def _parse(query: str, catalog: Catalog) -> exp.Select:
    """The one SELECT of a query. Raises `_BadViewError`."""
    statements = _read(query) or _read(_quote_names(query, catalog))
    if statements is None:
        raise _BadViewError(_UNREADABLE)
    if len(statements) > 1:
        raise _BadViewError(_SEVERAL)
    select = statements[0]
    if not isinstance(select, exp.Select):
        raise _BadViewError(_NO_SELECT)
    if any(item.is_star for item in select.expressions):
        raise _BadViewError(_WILDCARD)
    _refuse_encrypted(select, catalog)
    return select


def _refuse_encrypted(select: exp.Select, catalog: Catalog) -> None:
    """Raise when the query may speak of an encrypted field: the database sees nothing of its values."""
    tables = {each.alias_or_name.lower(): catalog.by_name(each.name) for each in select.find_all(exp.Table)}
    read = [collection for collection in tables.values() if collection is not None]
    for column in select.find_all(exp.Column):
        named = tables.get(column.table.lower()) if column.table else None
        for collection in [named] if named is not None else read:
            if _is_encrypted(collection, column.name):
                text = f"the field {column.name} of {collection.name} is encrypted, and no query can see it"
                raise _BadViewError(text)


def _is_encrypted(collection: Collection, name: str) -> bool:
    field = next((field for field in collection.fields if field.name.lower() == name.lower()), None)
    return field is not None and (field.id in collection.seals or collection.encryption(field) is not None)


def _read(query: str) -> list[exp.Expr | None] | None:
    try:
        return sqlglot.parse(query, read="sqlite")
    except (SqlglotError, RecursionError):
        return None


def _quote_names(query: str, catalog: Catalog) -> str:
    """The query with the names of collections in quotes, for those that are words of SQL elsewhere."""
    tokens = tokenize(query) or []
    parts, at = [], 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.kind == "word" and catalog.by_name(token.text) and (after is None or after.text != "("):
            parts += [query[at : token.start], f'"{token.text}"']
            at = token.end
    return "".join([*parts, query[at:]])


def _sources(select: exp.Select, catalog: Catalog) -> Mapping[str, Collection | None]:
    """The tables a query reads from by the names it gives them; None for what is no collection."""
    start = select.args.get("from_")
    tables = [start.this] if start else []
    tables += [join.this for join in select.args.get("joins") or ()]
    own = {common.alias.lower() for common in select.ctes}
    found: dict[str, Collection | None] = {}
    for table in tables:
        is_plain = isinstance(table, exp.Table) and table.name.lower() not in own
        found[table.alias_or_name.lower()] = catalog.by_name(table.name) if is_plain else None
    return found


def _tables(select: exp.Select) -> frozenset[str]:
    return frozenset(table.name.lower() for table in select.find_all(exp.Table))


def _field(item: exp.Expr, sources: Mapping[str, Collection | None]) -> Field:
    name = item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else item.sql(dialect="sqlite")
    if name == "id":
        return _id_field()
    origin = _origin(item, sources)
    field = _copy(*origin, name) if origin else _computed(item.unalias())
    return replace(field, name=name, id=field.id or ids.field_id(field.type, name))


def _id_field() -> TextField:
    return TextField(
        id=ids.field_id("text", "id"), name="id", system=True, required=True, primary_key=True, pattern=PATTERN
    )


def _origin(item: exp.Expr, sources: Mapping[str, Collection | None]) -> tuple[Collection, Field] | None:
    """The collection and field that an item shows unchanged, if it does."""
    column = item.unalias()
    if not isinstance(column, exp.Column):
        return None
    asked = [sources.get(column.table.lower())] if column.table else list(sources.values())
    for collection in asked:
        field = collection.field(column.name) if collection else None
        if collection and field:
            return collection, field
    return None


def _copy(collection: Collection, field: Field, name: str) -> Field:
    """A field of a view that shows a field of a collection; its id becomes a relation to it."""
    if field.name == "id":
        return RelationField(collection_id=collection.id, max_select=1)
    return replace(field, id=clone_id(collection, field, name))


def _computed(item: exp.Expr) -> Field:
    inner = item.this if isinstance(item, exp.Window) else item
    if isinstance(inner, exp.Count):
        return NumberField(only_int=True)
    if isinstance(inner, exp.Anonymous) and inner.name.lower() == "total":
        return NumberField()
    return _converted(inner.to.this.name) if isinstance(inner, exp.Cast) else _any()


def _converted(kind: str) -> Field:
    if kind in _INTEGERS | _NUMBERS:
        return NumberField(only_int=kind in _INTEGERS)
    if kind == "TEXT":
        return TextField()
    return BoolField() if kind == "BOOLEAN" else _any()


def _any() -> JsonField:
    return JsonField(max_size=1)  # never written, so never too large


def _may_be_no_text(item: Any, sources: Mapping[str, Collection | None]) -> bool:
    origin = _origin(item, sources)
    return origin is None or origin[1].column not in ("text", "id")
