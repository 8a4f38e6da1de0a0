"""Collections from and to their JSON: what callers send, what they get, what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from undercroft.collections.collection import Collection
from undercroft.collections.completion import join_fields
from undercroft.collections.fields.registry import BadDefinition, dump_field, load_field
from undercroft.collections.merging import merge_options
from undercroft.collections.options import BEYOND_THE_WIRE, AuthOptions
from undercroft.dates import parse_date

RULES: Final = ("listRule", "viewRule", "createRule", "updateRule", "deleteRule")
_TOKENS: Final = ("authToken", "passwordResetToken", "emailChangeToken", "verificationToken", "fileToken")

_DEFAULTS: Final[dict[str, Any]] = msgspec.to_builtins(AuthOptions())


class _Sent(msgspec.Struct, frozen=True, rename="camel"):
    """The plain keys of a submitted definition."""

    id: str | UnsetType | None = UNSET
    list_rule: str | UnsetType | None = UNSET
    view_rule: str | UnsetType | None = UNSET
    create_rule: str | UnsetType | None = UNSET
    update_rule: str | UnsetType | None = UNSET
    delete_rule: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    fields: list[dict[str, Any]] | UnsetType | None = UNSET
    indexes: list[str] | UnsetType | None = UNSET
    created: str | UnsetType | None = UNSET
    system: bool | UnsetType | None = UNSET
    view_query: str | UnsetType | None = UNSET


def merge_definition(stored: Collection, body: Mapping[str, Any]) -> Collection:
    """The collection after the submitted definition: objects merge deeply, lists are replaced.

    Raises `BadDefinition` when a value has the wrong JSON type.
    """
    sent = _read(body)
    changes = {name: getattr(sent, name) for name in sent.__struct_fields__ if getattr(sent, name) is not UNSET}
    changed = {name: _plain(name, value) for name, value in changes.items()}
    if stored.auth is not None:
        changed["auth"] = merge_options(stored.auth, body)
    return replace(stored, **changed)


def dump_definition(collection: Collection) -> dict[str, Any]:
    """The JSON that superusers get: everything but secrets."""
    shown = {
        "id": collection.id,
        **{key: getattr(collection, _snake(key)) for key in RULES},
        "name": collection.name,
        "type": collection.type,
        "fields": [dump_field(field) for field in collection.fields],
        "indexes": list(collection.indexes),
        "created": collection.created,
        "updated": collection.updated,
        "system": collection.system,
    }
    if collection.auth is not None:
        return shown | _without_defaults(_without_secrets(dump_options(collection.auth)))
    return shown | {"viewQuery": collection.view_query} if collection.is_view else shown


def dump_options(options: AuthOptions) -> dict[str, Any]:
    """The JSON of auth options, secrets included."""
    dumped: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(options))
    return dumped


def _read(body: Mapping[str, Any]) -> _Sent:
    try:
        return msgspec.convert(body, _Sent)
    except msgspec.ValidationError as error:
        raise BadDefinition from error


def _plain(name: str, value: Any) -> Any:
    """A submitted value as collections hold it; null empties everything but rules."""
    if name.endswith("_rule"):
        return value
    if name == "fields":
        return join_fields(load_field(field) for field in value or ())
    if name == "indexes":
        return tuple(value or ())
    if name == "created":
        return parse_date(value or "")
    return bool(value) if name == "system" else (value or "").strip() if name == "view_query" else value or ""


def _snake(rule: str) -> str:
    return rule.removesuffix("Rule") + "_rule"


def _without_defaults(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in BEYOND_THE_WIRE or value != _DEFAULTS[name]}


def _without_secrets(options: dict[str, Any]) -> dict[str, Any]:
    for name in _TOKENS:
        del options[name]["secret"]
    for provider in options["oauth2"]["providers"]:
        del provider["clientSecret"]
        provider["extra"] = provider["extra"] or {}
    return options
