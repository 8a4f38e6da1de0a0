"""From a table that is there to the definition of a collection over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from undercroft.collections.catalog import Catalog
from undercroft.collections.fields.primary_key import AUTOGENERATE
from undercroft.database.found import ForeignKey, FoundColumn, FoundIndex, FoundTable

_NAME: Final = re.compile(r"\w{1,100}")
_ANY_ID: Final = r"^\S+$"
_RESERVED: Final = frozenset({"null", "true", "false", "_rowid_", "collectionid", "collectionname", "expand"})
_TYPES: Final = {"text": "text", "number": "number", "bool": "bool", "date": "date", "json": "json"}
_CASTS: Final = {"text": "TEXT", "number": "DOUBLE", "bool": "BOOLEAN", "date": "TEXT"}


@dataclass(frozen=True, slots=True)
class Adoption:
    """A definition to save, and what its maker should know."""

    body: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def why_not(table: FoundTable) -> str:
    """Why records of a table cannot be written through a collection; `""` when they can."""
    key = table.primary_key
    if len(key) != 1:
        return f"its primary key has {len(key)} columns" if key else "it has no primary key"
    if key[0].name != "id":
        return f"its primary key is the column {key[0].name}, not id"
    if key[0].kind != "text":
        return f"its id is of the type {key[0].type or 'nothing'}, not text"
    needed = [column.name for column in table.columns if _left_out(column) and not column.may_be_left_out]
    if needed:
        return f"no row can be added without {', '.join(needed)}, which no field can hold"
    return ""


def plan_collection(table: FoundTable, strays: Mapping[str, str], catalog: Catalog) -> Adoption:
    """A collection over the table itself. `strays` are columns whose values are not what their type says."""
    keys = {key.column: key for key in table.foreign_keys}
    fields, notes = [], []
    for column in table.columns:
        if reason := _left_out(column) or _astray(column, strays):
            notes.append(f"{column.name} is left out: {reason}.")
            continue
        field, note = _field(column, keys.get(column.name), strays, catalog)
        fields.append(field)
        notes += [note] if note else []
    names = {field["name"] for field in fields}
    indexes = [_spelled(index, table.name) for index in table.indexes if set(index.columns) <= names]
    return Adoption({"name": table.name, "type": "base", "fields": fields, "indexes": indexes}, tuple(notes))


def plan_view(table: FoundTable, name: str) -> Adoption:
    """A view of the table under another name, whose records can be read only."""
    shown = [column for column in table.columns if not _is_bytes(column)]
    notes = [f"{column.name} is left out: it holds bytes." for column in table.columns if _is_bytes(column)]
    key = " || ':' || ".join(f"CAST({_quote(column.name)} AS TEXT)" for column in table.primary_key)
    lone = table.primary_key[0].name if len(table.primary_key) == 1 else ""
    columns = [f"{key or 'ROW_NUMBER() OVER ()'} AS id", *_shown(shown, lone)]
    if not key:
        notes.append("it has no primary key, so its records are numbered as they come: their ids do not last.")
    query = f"SELECT {', '.join(columns)} FROM {_quote(table.name)}"
    return Adoption({"name": name, "type": "view", "viewQuery": query}, tuple(notes))


def _shown(columns: list[FoundColumn], key: str) -> Iterator[str]:
    taken = {"id"}
    for column in columns:
        if column.name == key == "id":
            continue
        alias = re.sub(r"\W", "_", column.name)
        while alias.lower() in taken | _RESERVED:
            alias += "_"
        taken.add(alias.lower())
        cast = _CASTS.get(column.kind or "text", "")
        quoted = _quote(column.name)
        yield f"CAST({quoted} AS {cast}) AS {alias}" if cast else f"{quoted} AS {alias}"


def _left_out(column: FoundColumn) -> str:
    """Why a column can be no field; `""` when it can."""
    if column.kind is None:
        return f"no field holds the type {column.type or 'nothing'}"
    if not _NAME.fullmatch(column.name) or column.name.lower() in _RESERVED or "_via_" in column.name.lower():
        return "no field can have the name"
    return ""


def _astray(column: FoundColumn, strays: Mapping[str, str]) -> str:
    """Why a column is not of the kind that its type says; dates that are none can be shown as text."""
    return f"what it holds {strays[column.name]}" if column.name in strays and column.kind != "date" else ""


def _field(
    column: FoundColumn, key: ForeignKey | None, strays: Mapping[str, str], catalog: Catalog
) -> tuple[dict[str, Any], str]:
    name = column.name
    if name == "id":
        return {"name": "id", "type": "text", "pattern": _ANY_ID, "autogeneratePattern": AUTOGENERATE}, ""
    if key is not None:
        related = catalog.by_name(key.table)
        if related and not related.is_view and key.target == "id" and column.kind == "text":
            relation = {"name": name, "type": "relation", "collectionId": related.id, "maxSelect": 1}
            # The empty text that a field stores for nothing is no key of the other table.
            return {
                **relation,
                "required": True,
                "cascadeDelete": key.cascades,
            }, f"{name} is a relation to {key.table}."
        note = f"{name} refers to {key.table}, which is no collection with these ids: it is a plain {column.kind}."
        return _plain(column), note
    if column.kind == "date" and name in strays:
        return {"name": name, "type": "text"}, f"{name} is text, no date: what it holds {strays[name]}."
    return _plain(column), ""


def _plain(column: FoundColumn) -> dict[str, Any]:
    field = {"name": column.name, "type": _TYPES[column.kind or "text"]}
    return field | {"onlyInt": True} if column.kind == "number" and "int" in column.type else field


def _is_bytes(column: FoundColumn) -> bool:
    return column.type in ("blob", "bytea")


def _spelled(index: FoundIndex, table: str) -> str:
    columns = ", ".join(f"`{name}`" for name in index.columns)
    return f"CREATE {'UNIQUE ' if index.is_unique else ''}INDEX `{index.name}` ON `{table}` ({columns})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
