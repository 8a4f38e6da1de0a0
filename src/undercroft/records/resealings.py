"""What is known of each piece of work on encrypted fields: a row, from when it is found until it is done and after.

`step` says what a piece that is not done is at: values come along (`fill`), or what was left of
their past is overwritten (`scrub`). `place` is how far the present pass has come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from undercroft.collections.pieces import Piece, PieceKind
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value
from undercroft.database.positions import Read
from undercroft.database.statements import delete_rows, insert_row
from undercroft.dates import now
from undercroft.errors import Conflict, NotFound
from undercroft.ids import record_id
from undercroft.keys.audit import AuditEvent, Entry, append_entry

ResealingState = Literal["waiting", "running", "paused", "done", "failed"]
Step = Literal["fill", "scrub"]
Move = Literal["pause", "resume"]
TABLE: Final = "_resealings"
_NAMES: Final = (
    *("id", "kind", "collection", "field", "number", "state", "step", "total", "done", "place"),
    *("rate", "most", "error", "started", "updated"),
)
_OPEN: Final = ("waiting", "running")
_MOVES: Final[Mapping[Move, tuple[AuditEvent, Mapping[str, Value], Sequence[str]]]] = {
    "pause": ("resealing_paused", {"state": "paused", "rate": 0}, _OPEN),
    "resume": ("resealing_resumed", {"state": "waiting", "place": 0, "error": ""}, ("paused", "failed")),
}


class NoSuchResealing(NotFound):
    """There is no work on encrypted fields of that id."""

    code = "no_such_resealing"


class ResealingNotMoved(Conflict):
    """The work cannot be paused or resumed: it is done, paused or at work already."""

    code = "resealing_not_moved"


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a piece does not go on: the code of an error, a sentence, and the ids of the records that it is about."""

    code: str
    message: str
    records: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Resealing:
    """A piece of work and how far it is; `most` is how many rows a second it may take, 0 for any number."""

    id: str
    piece: Piece
    state: ResealingState
    step: Step
    total: int
    done: int
    place: int
    rate: float
    most: float
    trouble: Trouble | None
    started: str
    updated: str

    @property
    def is_open(self) -> bool:
        """Whether it is to be worked on."""
        return self.state in _OPEN

    @property
    def seconds_left(self) -> float | None:
        """How long it still takes at its present rate; None when that cannot be said."""
        return max(self.total - self.done, 0) / self.rate if self.state == "running" and self.rate > 0 else None


async def list_resealings(read: Read) -> list[Resealing]:
    """All rows, what is to be done first and then what was done last."""
    names = ", ".join(f'"{name}"' for name in _NAMES)
    order = """CASE "state" WHEN 'done' THEN 1 ELSE 0 END, "updated" DESC, "id\""""
    return [_resealing(row) for row in await read(f'SELECT {names} FROM "{TABLE}" ORDER BY {order}', ())]


async def find_resealing(read: Read, resealing_id: str) -> Resealing:
    """One row. Raises `NoSuchResealing`."""
    for each in await list_resealings(read):
        if each.id == resealing_id:
            return each
    raise NoSuchResealing


async def begin_resealing(tx: Transaction, dialect: Dialect, piece: Piece) -> None:
    """Have a row for a piece that is under way; one that was done is opened anew."""
    moment = now()
    values: Mapping[str, Value] = {
        "id": record_id(),
        "kind": piece.kind,
        "collection": piece.collection,
        "field": piece.field,
        "number": piece.number,
        "state": "waiting",
        "step": "fill",
        "started": "",
        "updated": moment,
    }
    if await insert_row(tx, dialect, TABLE, values):
        return
    mark = dialect.placeholder
    sql = f"""UPDATE "{TABLE}" SET "state" = 'waiting', "step" = 'fill', "total" = 0, "done" = 0, "place" = 0,
        "rate" = 0, "error" = '', "started" = {mark(1, "date")}, "updated" = {mark(2, "date")}
        WHERE "kind" = {mark(3)} AND "collection" = {mark(4)} AND "field" = {mark(5)} AND "number" = {mark(6)}
        AND "state" = 'done'"""
    await tx.run(sql, ("", moment, piece.kind, piece.collection, piece.field, piece.number))


async def forget_resealing(tx: Transaction, dialect: Dialect, resealing_id: str) -> None:
    """Have no row for a piece that was given up."""
    await delete_rows(tx.run, dialect, TABLE, {"id": resealing_id})


async def change_resealing(
    tx: Transaction, dialect: Dialect, resealing_id: str, changes: Mapping[str, Value], states: Sequence[str] = _OPEN
) -> bool:
    """Write down how far a piece is, if it is in one of these states; whether it was."""
    kinds: Mapping[str, Any] = {"started": "date", "updated": "date", "rate": "number", "most": "number"}
    written = {**changes, "updated": now()}
    sets = ", ".join(f'"{name}" = {dialect.placeholder(n, kinds.get(name))}' for n, name in enumerate(written, 1))
    known = ", ".join(f"'{state}'" for state in states)
    where = f'"id" = {dialect.placeholder(len(written) + 1)} AND "state" IN ({known})'
    sql = f'UPDATE "{TABLE}" SET {sets} WHERE {where} RETURNING 1'
    return bool(await tx.run(sql, (*written.values(), resealing_id)))


async def forget_error(tx: Transaction, dialect: Dialect, collection_id: str, error: str) -> None:
    """Have the rows of a collection that are done not say this any more."""
    where = f'"collection" = {dialect.placeholder(1)} AND "error" = {dialect.placeholder(2)}'
    await tx.run(f"""UPDATE "{TABLE}" SET "error" = '' WHERE {where} AND "state" = 'done'""", (collection_id, error))


@dataclass(frozen=True, slots=True)
class Advance:
    """So many rows more are dealt with, up to that place in the order; by now so many a second."""

    rows: int
    place: int
    rate: float


async def advance_resealing(tx: Transaction, dialect: Dialect, resealing_id: str, by: Advance) -> float | None:
    """Write down how far a piece is by now; how many rows it may take a second, None when it is to stop."""
    mark = dialect.placeholder
    sql = f"""UPDATE "{TABLE}" SET "done" = "done" + {mark(1)}, "place" = {mark(2)}, "rate" = {mark(3, "number")},
        "updated" = {mark(4, "date")} WHERE "id" = {mark(5)} AND "state" = 'running' RETURNING "most\""""
    found = await tx.run(sql, (by.rows, by.place, by.rate, now(), resealing_id))
    return float(found[0][0] or 0) if found else None


async def move_resealing(tx: Transaction, dialect: Dialect, resealing_id: str, move: Move, actor: str) -> None:
    """Pause a piece, or go on with one that was paused or failed, and write down who did.

    Raises `NoSuchResealing` and `ResealingNotMoved`.
    """
    event, changes, states = _MOVES[move]
    is_moved = await change_resealing(tx, dialect, resealing_id, changes, states)
    found = await find_resealing(tx.run, resealing_id)
    if not is_moved:
        raise ResealingNotMoved(f"It is {found.state}.")
    entry = Entry(event, found.piece.purpose, found.piece.scope, actor=actor, detail={"kind": found.piece.kind})
    await append_entry(tx, dialect, entry)


async def limit_resealing(tx: Transaction, dialect: Dialect, resealing_id: str, most: float) -> None:
    """Take no more than so many rows a second; 0: any number. Raises `NoSuchResealing` and `ResealingNotMoved`."""
    if not await change_resealing(tx, dialect, resealing_id, {"most": most}, (*_OPEN, "paused", "failed")):
        raise ResealingNotMoved(f"It is {(await find_resealing(tx.run, resealing_id)).state}.")


def error_text(trouble: Trouble) -> str:
    """What a row keeps of a trouble."""
    return msgspec.json.encode(trouble).decode()


def _resealing(row: Row) -> Resealing:
    # The columns hold what is written above, whose types the driver cannot know.
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    kind: PieceKind = values["kind"]
    return Resealing(
        id=values["id"],
        piece=Piece(kind, values["collection"], values["field"], int(values["number"])),
        state=values["state"],
        step=values["step"],
        total=int(values["total"]),
        done=int(values["done"]),
        place=int(values["place"]),
        rate=float(values["rate"]),
        most=float(values["most"]),
        trouble=msgspec.json.decode(values["error"], type=Trouble) if values["error"] else None,
        started=values["started"],
        updated=values["updated"],
    )
