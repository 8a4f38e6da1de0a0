"""What a view query yields, as a value."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from undercroft.collections.fields.base import Field


class ViewShape(msgspec.Struct, frozen=True):
    """What a view query yields: its fields, or the reason why it cannot be a view.

    `casts_id` says that its ids may be something else than text; `tables` are the
    names it reads from, in lower case.
    """

    fields: tuple[Field, ...] = ()
    reason: str = ""
    casts_id: bool = False
    tables: frozenset[str] = frozenset()


def same_fields(one: tuple[Field, ...], other: tuple[Field, ...]) -> bool:
    """Whether two lists of fields differ in nothing but ids."""
    return [replace(field, id="") for field in one] == [replace(field, id="") for field in other]
