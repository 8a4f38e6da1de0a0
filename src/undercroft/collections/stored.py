"""Definitions as rows of the table of collections."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.definitions import dump_options
from undercroft.collections.fields.registry import dump_field, load_field
from undercroft.collections.options import AuthOptions
from undercroft.collections.seals import Seal
from undercroft.database.engine import Row, Value

TABLE: Final = "_collections"
COLUMNS: Final = (
    "id",
    "name",
    "type",
    "system",
    "fields",
    "indexes",
    "list_rule",
    "view_rule",
    "create_rule",
    "update_rule",
    "delete_rule",
    "options",
    "created",
    "updated",
)
_AS_JSON: Final = ("fields", "indexes", "options")


def to_row(collection: Collection) -> list[Value]:
    """The values of a row, in the order of `COLUMNS`."""
    plain = {name: getattr(collection, name) for name in COLUMNS if name not in _AS_JSON}
    json = {
        "fields": [dump_field(field) for field in collection.fields],
        "indexes": collection.indexes,
        "options": _options(collection),
    }
    return [_as_text(json[name]) if name in json else plain[name] for name in COLUMNS]


def from_row(row: Row) -> Collection:
    """The collection that a row keeps."""
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    options = _from_text(values.pop("options")) or {}
    fields = tuple(load_field(field) for field in _from_text(values.pop("fields")))
    indexes = tuple(_from_text(values.pop("indexes")))
    auth = msgspec.convert(options, AuthOptions) if values["type"] == "auth" else None
    values["system"] = bool(values["system"])
    values["seals"] = msgspec.convert(options.get("seals") or {}, dict[str, Seal])
    return Collection(**values, fields=fields, indexes=indexes, auth=auth, view_query=options.get("viewQuery", ""))


def _options(collection: Collection) -> dict[str, Any]:
    seals = {"seals": msgspec.to_builtins(collection.seals)} if collection.seals else {}
    if collection.auth is not None:
        return dump_options(collection.auth) | seals
    return {"viewQuery": collection.view_query} if collection.is_view else seals


def _as_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _from_text(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value
