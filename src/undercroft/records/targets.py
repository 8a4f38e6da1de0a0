"""Records as CSV, JSON or JSON Lines, piece by piece."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from undercroft.records.formulas import guard
from undercroft.records.sources import Format

Values = dict[str, Any]


class Target:
    """One format: what stands before, what each batch of records becomes, what stands behind.

    `names` are the fields that are written, in order; `json_names` those that hold any JSON.
    """

    def __init__(self, names: Sequence[str], json_names: Sequence[str] = (), *, is_guarded: bool = True) -> None:
        self.names = names
        self.json_names = frozenset(json_names)
        self.is_guarded = is_guarded
        self.count = 0

    def head(self) -> bytes:
        return b""

    def body(self, records: Iterable[Values]) -> bytes:
        raise NotImplementedError

    def tail(self) -> bytes:
        return b""

    def pick(self, record: Values) -> Values:
        """The record with its own fields only, in their order."""
        return {name: record[name] for name in self.names if name in record}


class JsonLines(Target):
    """One object a line."""

    def body(self, records: Iterable[Values]) -> bytes:
        return b"".join(msgspec.json.encode(self.pick(record)) + b"\n" for record in records)


class JsonArray(Target):
    """One array, one record a line."""

    def head(self) -> bytes:
        return b"["

    def body(self, records: Iterable[Values]) -> bytes:
        parts: list[bytes] = []
        for record in records:
            parts.append((b",\n" if self.count else b"\n") + msgspec.json.encode(self.pick(record)))
            self.count += 1
        return b"".join(parts)

    def tail(self) -> bytes:
        return b"\n]\n"


class Csv(Target):
    """A line of names, then a line a record; lists and objects as JSON."""

    def head(self) -> bytes:
        return self._lines([list(self.names)])

    def body(self, records: Iterable[Values]) -> bytes:
        return self._lines([[self._cell(name, record.get(name)) for name in self.names] for record in records])

    def _cell(self, name: str, value: Any) -> str:
        if isinstance(value, str) and name not in self.json_names:
            return guard(value) if self.is_guarded else value
        return "" if value is None else msgspec.json.encode(value).decode()

    def _lines(self, rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()


TARGETS: Final[dict[Format, Callable[..., Target]]] = {"csv": Csv, "json": JsonArray, "jsonl": JsonLines}
