"""Definitions as rows of the table of collections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.definitions import dump_options
from undercroft.collections.fields.registry import dump_field, load_field
from undercroft.collections.options import AuthOptions
from undercroft.collections.seals import Seal
from undercroft.database.engine import Row, Texts, Value
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.texts import is_sealed_text

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


def to_row(collection: Collection, texts: Texts) -> list[Value]:
    """The values of a row, in the order of `COLUMNS`, secrets sealed. Raises `KeysUnavailable`."""
    plain = {name: getattr(collection, name) for name in COLUMNS if name not in _AS_JSON}
    json = {
        "fields": [dump_field(field) for field in collection.fields],
        "indexes": collection.indexes,
        "options": _options(collection, texts),
    }
    return [_as_text(json[name]) if name in json else plain[name] for name in COLUMNS]


def from_row(row: Row, texts: Texts | None) -> Collection:
    """The collection that a row keeps; without keys secrets are as they are kept, which is of no use."""
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    options = _from_text(values.pop("options")) or {}
    fields = tuple(load_field(field) for field in _from_text(values.pop("fields")))
    indexes = tuple(_from_text(values.pop("indexes")))
    auth = _auth(str(values["id"]), options, texts) if values["type"] == "auth" else None
    values["system"] = bool(values["system"])
    values["seals"] = msgspec.convert(options.get("seals") or {}, dict[str, Seal])
    return Collection(**values, fields=fields, indexes=indexes, auth=auth, view_query=options.get("viewQuery", ""))


def _auth(collection_id: str, options: dict[str, Any], texts: Texts | None) -> AuthOptions:
    if texts is not None:
        with suppress(KeysUnavailable):
            for holder, name, place in _secrets(collection_id, options):
                if is_sealed_text(holder[name]):
                    holder[name] = texts.open_text(place, holder[name])
    return msgspec.convert(options, AuthOptions)


def _sealed(collection: Collection, options: dict[str, Any], texts: Texts) -> dict[str, Any]:
    for holder, name, place in _secrets(collection.id, options):
        if is_sealed_text(holder[name]):
            raise KeysUnavailable(f"{collection.name} cannot be changed while its secrets cannot be opened.")
        holder[name] = texts.seal_text(place, holder[name])
    return options


def reseal_options(collection_id: str, options: str, texts: Texts) -> str:
    """Options, as a row keeps them, with their secrets sealed by the key that seals now.

    Raises `DecryptionFailed` and its kin, and `KeysUnavailable`.
    """
    values = _from_text(options) or {}
    for holder, name, place in _secrets(collection_id, values):
        if is_sealed_text(holder[name]):
            holder[name] = texts.seal_text(place, texts.open_text(place, holder[name]))
    return _as_text(values)


def has_clear_secrets(collection_id: str, options: Any) -> bool:
    """Whether options, as a row keeps them, have secrets in clear, as an older program left them."""
    found = _secrets(collection_id, _from_text(options) or {})
    return any(not is_sealed_text(holder[name]) for holder, name, _ in found)


def _secrets(collection_id: str, options: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """What is secret in the options of accounts: what holds it, under which name, and its place."""
    place = f"_collections|options|{collection_id}"
    for key, value in options.items():
        if isinstance(value, dict) and value.get("secret"):
            yield value, "secret", f"{place}|{key}"
    oauth2 = options.get("oauth2")
    for provider in oauth2.get("providers", ()) if isinstance(oauth2, dict) else ():
        if provider.get("clientSecret"):
            yield provider, "clientSecret", f"{place}|{provider.get('name', '')}"


def _options(collection: Collection, texts: Texts) -> dict[str, Any]:
    seals = {"seals": msgspec.to_builtins(collection.seals)} if collection.seals else {}
    if collection.auth is not None:
        return _sealed(collection, dump_options(collection.auth), texts) | seals
    return {"viewQuery": collection.view_query} if collection.is_view else seals


def _as_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _from_text(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value
