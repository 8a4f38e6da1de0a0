"""From a submitted definition to the collection that is to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from msgspec.structs import replace

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection, CollectionType
from undercroft.collections.completion import complete, free_collection_id
from undercroft.collections.definitions import merge_definition
from undercroft.collections.fields.registry import BadDefinition
from undercroft.collections.options import AuthOptions
from undercroft.collections.scaffolds import fresh_token, scaffold, system_indexes
from undercroft.collections.validate import ID_TAKEN, UNKNOWN_TYPE
from undercroft.dates import now
from undercroft.errors import Invalid, NotFound


def prepare_new(body: Mapping[str, Any], catalog: Catalog) -> Collection:
    """A new collection: the defaults of its type, and the definition over them."""
    kind = body.get("type") or "base"
    if not isinstance(kind, str):
        raise BadDefinition
    if kind not in get_args(CollectionType):
        raise Invalid({"type": UNKNOWN_TYPE}, "Failed to create collection.")
    known = {collection.id for collection in catalog}
    # The membership test above says what mypy cannot see.
    wanted = merge_definition(scaffold(kind), {**body, "type": kind})  # type: ignore[arg-type]
    if wanted.id in known:
        raise Invalid({"id": ID_TAKEN}, "Failed to create collection.")
    if wanted.is_auth and "indexes" not in body:
        wanted = replace(wanted, indexes=_default_indexes(wanted, known))
    moment = now()
    return replace(complete(wanted, known.__contains__), created=wanted.created or moment, updated=moment)


def prepare_change(old: Collection, body: Mapping[str, Any]) -> Collection:
    """A collection with the definition over what it was. Its id never changes."""
    merged = merge_definition(old, body)
    if merged.id != old.id:
        raise NotFound
    changed = complete(merged, lambda _: False)
    changed = replace(changed, created=merged.created or old.created, updated=now())
    return _rekeyed(old, changed)


def _default_indexes(new: Collection, known: set[str]) -> tuple[str, ...]:
    """The system indexes of an auth collection, named by the id it has or would have been given."""
    return tuple(system_indexes(free_collection_id(new, known.__contains__), new.name).values())


def _rekeyed(old: Collection, new: Collection) -> Collection:
    """A changed auth rule ends every token, because it was asked when they were made."""
    if old.auth is None or new.auth is None or old.auth.auth_rule == new.auth.auth_rule:
        return new
    auth: AuthOptions = replace(new.auth, auth_token=fresh_token(new.auth.auth_token.duration))
    return replace(new, auth=auth)
