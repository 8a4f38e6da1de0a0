"""What rules can read of a request: `@request.*` as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from undercroft.collections.collection import Collection
from undercroft.database.engine import Value
from undercroft.query.errors import FilterError
from undercroft.query.scope import Identity, Scope
from undercroft.query.tree import NameNode

State = Literal["null", "empty", "text", "number", "json"]
"""What a plan depends on of a request value; the value itself is bound."""

PARTS = ("context", "method", "auth", "query", "headers", "body")


def check_request_name(node: NameNode) -> None:
    """Refuse `@request` names of no known shape."""
    part = node.path[1] if len(node.path) > 1 else ""
    bare = part in ("context", "method")
    if part not in PARTS or bare != (len(node.path) == 2):
        raise FilterError(f"{node.text!r} is not part of a request", node.at)


def request_value(path: Sequence[str], scope: Scope) -> Any:
    """The value at a path after `@request`, None when there is none."""
    part, rest = path[0], path[1:]
    if part == "context":
        return scope.context
    if part == "method":
        return scope.method
    if part == "auth":
        return _auth_value(scope.identity, rest)
    source: Mapping[str, Any] = getattr(scope, part)
    return _dig(source, rest)


def is_set(path: Sequence[str], scope: Scope) -> bool:
    """Whether the key at a path was submitted at all."""
    part, rest = path[0], path[1:]
    if part not in ("query", "headers", "body"):
        return request_value(path, scope) is not None
    holder = _dig(getattr(scope, part), rest[:-1])
    if isinstance(holder, Mapping):
        return rest[-1] in holder
    return isinstance(holder, Sequence) and not isinstance(holder, str) and _dig(holder, rest[-1:]) is not None


def state_of(value: Any) -> State:
    """What kind of value it is, as far as a plan depends on it."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return "number"
    if isinstance(value, str):
        return "text" if value else "empty"
    return "json"


def bind_value(value: Any) -> Value:
    """A request value as the driver takes it: numbers as they compare, lists and objects as JSON text."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode()


def _auth_value(identity: Identity | None, path: Sequence[str]) -> Any:
    if identity is None:
        return None
    if tuple(path) == ("collectionId",):
        return identity.collection.id
    if tuple(path) == ("collectionName",):
        return identity.collection.name
    field = identity.collection.field(path[0])
    if field is None:
        return None
    return _dig(identity.record[field.name], path[1:])


def auth_collection(scope: Scope) -> Collection | None:
    """The collection of the caller's record."""
    return scope.identity.collection if scope.identity else None


def _dig(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
