"""Whether hooks have to do with a write, which decides how it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.relation import RelationField
from undercroft.hooks.registry import Registry
from undercroft.records.model_events import twin_of

Action = Literal["create", "update", "delete"]
Involvement = Literal["none", "after", "inside"]
"""`inside`: hooks run in the transaction; `after`: only once it is over."""


def _with_twins(*moments: str) -> tuple[str, ...]:
    return (*moments, *map(twin_of, moments))


_INSIDE: Final = {
    "create": _with_twins("record_create", "record_validate", "record_create_execute"),
    "update": _with_twins("record_update", "record_validate", "record_update_execute"),
    "delete": _with_twins("record_delete", "record_delete_execute"),
}
_AFTER: Final = {
    "create": _with_twins("record_created", "record_create_failed"),
    "update": _with_twins("record_updated", "record_update_failed"),
    "delete": _with_twins("record_deleted", "record_delete_failed"),
}
_ALL: Final = frozenset(moment for group in (_INSIDE, _AFTER) for moments in group.values() for moment in moments)


def involvement(registry: Registry, catalog: Catalog, wanted: Iterable[tuple[Action, Collection]]) -> Involvement:
    """What hooks have to do with a write of these collections, or with what follows from it."""
    if registry.moments.isdisjoint(_ALL):
        return "none"
    deeds = {deed for action, collection in wanted for deed in _with_followers(catalog, action, collection)}
    named = [(action, catalog.collection(collection_id)) for action, collection_id in deeds]
    if any(registry.has_any(_INSIDE[action], each.name, each.id) for action, each in named):
        return "inside"
    return "after" if any(registry.has_any(_AFTER[action], each.name, each.id) for action, each in named) else "none"


def _with_followers(catalog: Catalog, action: Action, collection: Collection) -> Iterator[tuple[Action, str]]:
    """A deed and those that may follow: who refers to what is deleted is deleted too, or changed."""
    yield action, collection.id
    if action != "delete":
        return
    reached, left = {collection.id}, [collection.id]
    while left:
        target = left.pop()
        for other in _referring(catalog, target):
            yield "update", other.id
            yield "delete", other.id
            if other.id not in reached:
                reached.add(other.id)
                left.append(other.id)


def _referring(catalog: Catalog, collection_id: str) -> Iterator[Collection]:
    for other in catalog:
        is_tied = any(isinstance(f, RelationField) and f.collection_id == collection_id for f in other.fields)
        if is_tied and not other.is_view:
            yield other
