"""Records that were just loaded, with the rows they were made of."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.database.engine import Row
from undercroft.records.codec import Codec, Record


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows and the records made of them, in the same order."""

    codec: Codec
    rows: list[Row]
    records: list[Record]
