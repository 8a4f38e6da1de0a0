"""What happens to records and collections alike: hooks for either, around those of its own kind."""

from __future__ import annotations

from typing import Final, Literal

from undercroft.collections.collection import Collection
from undercroft.hooks.hook import Deed
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work

COLLECTIONS: Final = "_collections"
"""The name under which hooks for either find collections; records go by the names of theirs."""


class ModelEvent(SiteEvent):
    """Something that happens to a record or to a collection; `about` is its own event, with all that it has."""

    def __init__(self, about: SiteEvent, kind: Literal["record", "collection"]) -> None:
        super().__init__(about.surroundings)
        self.about = about
        self.kind = kind


async def call_around(work: Work, moment: str, event: SiteEvent, collection: Collection, deed: Deed) -> None:
    """Call the hooks of `record_…` or `collection_…` around a deed, and around those the ones of `model_…`.

    Raises what they raise.
    """
    hooks, (kind, names) = work.host.hooks, _kind_and_names(moment, collection)
    own = hooks.registry.find(moment, collection.name, collection.id)
    outer = hooks.registry.find(twin_of(moment), *names)
    inner = deed

    async def call_own() -> None:
        await hooks.run(own, event, deed, work.about)

    if own:
        inner = call_own
    if outer:
        await hooks.run(outer, ModelEvent(event, kind), inner, work.about)
    else:
        await inner()


async def tell_all(work: Work, moment: str, event: SiteEvent, collection: Collection) -> None:
    """Call the hooks of a moment at which all is over, and those of its twin."""
    hooks, (kind, names) = work.host.hooks, _kind_and_names(moment, collection)
    if outer := hooks.registry.find(twin_of(moment), *names):
        await hooks.tell(outer, ModelEvent(event, kind), work.about)
    if own := hooks.registry.find(moment, collection.name, collection.id):
        await hooks.tell(own, event, work.about)


def twin_of(moment: str) -> str:
    """The moment at which hooks are called that are for records and collections alike."""
    return f"model_{moment.partition('_')[2]}"


def _kind_and_names(moment: str, collection: Collection) -> tuple[Literal["record", "collection"], tuple[str, ...]]:
    if moment.startswith("collection_"):
        return "collection", (COLLECTIONS,)
    return "record", (collection.name, collection.id)
