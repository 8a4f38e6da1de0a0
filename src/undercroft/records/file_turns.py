"""How far the files of each collection are, with what its fields want of them: a row each.

`wanted` names the fields, by their ids, whose files are to be encrypted, as they were when the row was written;
with another definition the work begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.positions import Read
from undercroft.database.statements import delete_rows, insert_row
from undercroft.dates import now

TABLE: Final = "_file_turns"
State = Literal["running", "done", "failed"]
_NAMES: Final = ("collection", "wanted", "state", "note", "total", "done", "updated")


@dataclass(frozen=True, slots=True)
class FileTurn:
    """One collection: its files in all that had to turn, and how many have; `note` says why some could not."""

    collection: str
    wanted: str
    state: State = "running"
    note: str = ""
    total: int = 0
    done: int = 0
    updated: str = ""


def wanted_of(collection: Collection) -> str:
    """What the fields of a collection want."""
    return " ".join(sorted(field.id for field in collection.file_fields if field.is_encrypted))


async def load_turns(read: Read) -> dict[str, FileTurn]:
    """All rows, by collection."""
    names = ", ".join(f'"{name}"' for name in _NAMES)
    rows = await read(f'SELECT {names} FROM "{TABLE}"', ())
    return {str(row[0]): _turn(row) for row in rows}


async def save_turn(tx: Transaction, dialect: Dialect, turn: FileTurn) -> None:
    """Write down how far a collection is."""
    await delete_rows(tx.run, dialect, TABLE, {"collection": turn.collection})
    values = (turn.collection, turn.wanted, turn.state, turn.note, turn.total, turn.done, now())
    await insert_row(tx, dialect, TABLE, dict(zip(_NAMES, values, strict=True)))


async def forget_turn(tx: Transaction, dialect: Dialect, collection_id: str) -> None:
    """Have no row for a collection that there is no more."""
    await delete_rows(tx.run, dialect, TABLE, {"collection": collection_id})


def _turn(row: tuple[object, ...]) -> FileTurn:
    collection, wanted, state, note, total, done, updated = row
    # The columns hold what is written above, whose types the driver cannot know.
    numbers = (int(total or 0), int(done or 0))  # type: ignore[call-overload]  # see above
    return FileTurn(str(collection), str(wanted), state, str(note), *numbers, str(updated))  # type: ignore[arg-type]  # see above
