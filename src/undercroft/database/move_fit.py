"""Does a row fit into the table that it is moved to?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from undercroft.database.engine import Row, Value
from undercroft.database.limits import Limits
from undercroft.database.move_values import Unfit, check_value, digest, shorten
from undercroft.database.moved import MovedIndex, MovedTable

_COMPARED_BY_CONTENT: Final = frozenset({"json", "list", "geo"})


class Misfit(msgspec.Struct, frozen=True):
    """Something of the source that the target cannot hold: a value of a record, or a part of a definition."""

    table: str
    record: str
    field: str
    value: str
    reason: str


class Fitting:
    """Looks at the rows of one table, each once."""

    def __init__(self, table: MovedTable, limits: Limits) -> None:
        self._table = table
        self._limits = limits
        self._seen: set[tuple[str, int]] = set()
        places = {column.name: at for at, column in enumerate(table.columns)}
        asked = [index for index in table.indexes if limits.key_bytes or limits.is_typed]
        self._indexes = [(index, [places[name] for name in index.columns]) for index in asked]

    def misfits(self, row: Row) -> Iterator[Misfit]:
        """What of a row the target cannot hold."""
        record = str(row[self._table.label_position])
        for column, value in zip(self._table.columns, row, strict=True):
            try:
                check_value(column, value, self._limits)
            except Unfit as unfit:
                yield Misfit(self._table.name, record, column.name, shorten(value), str(unfit))
        for index, places in self._indexes:
            values = [row[place] for place in places]
            if reason := self._too_long(index, values) or self._seen_before(index, places, values):
                yield Misfit(self._table.name, record, ", ".join(index.columns), shorten(values[0]), reason)

    def _too_long(self, index: MovedIndex, values: Sequence[Value]) -> str:
        size = sum(map(self._size, values)) if self._limits.key_bytes else 0
        if size <= self._limits.key_bytes:
            return ""
        return f"is {size:,} bytes, more than the index {index.name} may hold ({self._limits.key_bytes:,})"

    def _size(self, value: Value) -> int:
        if not isinstance(value, str):
            return 8
        return len(value.encode()) + sum(map(value.count, "\0\1\2")) * (self._limits.control_bytes - 1)

    def _seen_before(self, index: MovedIndex, places: Sequence[int], values: Sequence[Value]) -> str:
        """Why a unique index of the target takes a row for another one that it was told apart from in the source."""
        columns = [self._table.columns[place] for place in places]
        is_different = self._limits.is_typed and any(column.kind in _COMPARED_BY_CONTENT for column in columns)
        if not (index.tells_apart and is_different) or None in values:
            return ""
        key = (index.name, digest(columns, values))
        if key in self._seen:
            return f"means the same as that of another record, and the index {index.name} is unique"
        self._seen.add(key)
        return ""
