"""Letting hooks say what records show, just before they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from undercroft.collections.collection import Collection
from undercroft.hooks.failures import HookTimeout
from undercroft.hooks.hooks import nothing
from undercroft.records.access import Access
from undercroft.records.events import RecordEnrich
from undercroft.records.host import Work
from undercroft.records.saving import Outside

MOMENT: Final = "record_enrich"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def is_enriched(work: Work, collection: Collection | None = None) -> bool:
    """Whether hooks have a say in what records show, of that collection or of any."""
    registry = work.host.hooks.registry
    if collection is None or MOMENT not in registry.moments:
        return MOMENT in registry.moments
    return bool(registry.find(MOMENT, collection.name, collection.id))


async def render(work: Work, access: Access, shown: Any) -> bytes:
    """The JSON of records, or of what has some in it, as the caller is to see it.

    Raises what hooks raise, and `HookTimeout`.
    """
    return await render_json(work, access, _encode(shown))


async def render_json(work: Work, access: Access, encoded: bytes) -> bytes:
    """The same JSON, its records as hooks leave them. Raises what hooks raise, and `HookTimeout`."""
    return _encode(await enrich(work, access, _decode(encoded))) if is_enriched(work) else encoded


async def enrich(work: Work, access: Access, shown: Any) -> Any:
    """The same JSON value, its records as hooks leave them, those inside of others first.

    Raises what hooks raise, and `HookTimeout`.
    """
    outside = Outside(work, access)
    try:
        async with asyncio.timeout(work.host.hooks.seconds):
            for record in _records(shown):
                await _enrich_one(outside, record)
    except TimeoutError as error:
        raise HookTimeout from error
    return shown


async def _enrich_one(outside: Outside, record: dict[str, Any]) -> None:
    hooks = outside.work.host.hooks
    collection = outside.access.catalog.find(record["collectionId"])
    if collection is None:
        return
    found = hooks.registry.find(MOMENT, collection.name, collection.id)
    if not found:
        return
    event = RecordEnrich(outside, collection, dict(record))
    await hooks.run(found, event, nothing, outside.work.about)
    record.clear()
    record.update(sorted(event.record.items()))  # as every record on the wire


def _records(shown: Any) -> Iterator[dict[str, Any]]:
    """Every record in what is shown: a record, a page or a list of them, and what is expanded."""
    if isinstance(shown, list):
        for each in shown:
            yield from _records(each)
    elif isinstance(shown, dict):
        for inner in ("items", "record", "body", "expand"):
            if isinstance(shown.get(inner), dict | list):
                yield from _records_within(inner, shown[inner])
        if isinstance(shown.get("collectionId"), str):
            yield shown


def _records_within(key: str, value: Any) -> Iterator[dict[str, Any]]:
    for each in value.values() if key == "expand" and isinstance(value, dict) else [value]:
        yield from _records(each)
