"""Records that were just loaded, with the rows they were made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from undercroft.collections.collection import Collection
from undercroft.database.engine import Row
from undercroft.records.codec import Record


class Reader(Protocol):
    """Makes records of the rows of one collection; `records.codec.Codec` makes those of the wire."""

    @property
    def collection(self) -> Collection: ...

    @property
    def from_row(self) -> Callable[[Row], Record]: ...

    def position(self, name: str) -> int | None:
        """Where a column stands in the rows; None when it does not come out."""

    def expand_of(self, record: Record) -> dict[str, Any]:
        """Where the related records of a record belong, by name."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows and the records made of them, in the same order."""

    codec: Reader
    rows: list[Row]
    records: list[Record]
