"""Records out in bulk: page after page, by id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.records.access import Access
from undercroft.records.read import ListParams, list_records

PAGE: Final = 500


async def export_pages(
    access: Access, collection: Collection, text: str = ""
) -> AsyncIterator[tuple[int, list[dict[str, Any]]]]:
    """All records that match a filter, by id: pages of records, with how many there are in all."""
    page = await list_records(access, collection, ListParams(per_page=PAGE, filter=text, sort="id"))
    total = page.total_items
    while page.items:
        records: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(page.items))
        yield total, records
        last = records[-1]["id"]
        rest = f'({text}\n) && id > "{last}"' if text else f'id > "{last}"'
        page = await list_records(access, collection, ListParams(1, PAGE, True, rest, "id"))


def exported_fields(collection: Collection) -> list[str]:
    """The names of the fields that leave: all but passwords and what signs tokens."""
    secret = {"tokenKey"} if collection.is_auth else set()
    return [each.name for each in collection.fields if not isinstance(each, PasswordField) and each.name not in secret]
