"""What an event can reach: records, the database, the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from undercroft.database.engine import Operation, Row
from undercroft.mail.outbox import Sealed
from undercroft.query.core import Ready
from undercroft.records.host import Work
from undercroft.records.reach import Reach


class Surroundings(Protocol):
    """Where an event takes place: inside a transaction, or outside of any."""

    @property
    def work(self) -> Work: ...

    @property
    def reach(self) -> Reach: ...

    async def run(self, ready: Ready) -> Sequence[Row]:
        """Run a statement; its rows."""
        ...

    async def within(self, work: Operation[None]) -> None:
        """Do something in the transaction, or, outside of any, in one of its own."""
        ...

    async def enqueue(self, letter: Sealed) -> None:
        """Have a letter sent."""
        ...
