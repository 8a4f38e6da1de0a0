"""What is known of erased people and tenants: a row each, with the receipt of the erasure.

The keys are gone as soon as there is a row; until it is done, values that they sealed may still be found by their
fingerprints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction
from undercroft.database.positions import Read
from undercroft.database.statements import insert_row
from undercroft.dates import now
from undercroft.encryption.receipts import Receipt, parse_receipt, receipt_text
from undercroft.ids import record_id
from undercroft.keys.audit import Entry, append_entry
from undercroft.keys.rows import SUBJECT_KEYS
from undercroft.keys.subjects import SubjectErased

TABLE: Final = "_erasures"
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure: whose keys, by their scope, and what was signed about it."""

    scope: str
    receipt: Receipt


async def list_erasures(read: Read) -> list[Erasure]:
    """All of them, the oldest first."""
    sql = f'SELECT "scope", "receipt" FROM "{TABLE}" ORDER BY "at", "id"'
    return [_erasure(row) for row in await read(sql, ())]


async def list_begun(read: Read) -> list[str]:
    """The scopes of those erasures that are not done, the oldest first."""
    sql = f"""SELECT "scope" FROM "{TABLE}" WHERE "state" <> 'done' ORDER BY "at", "id\""""
    return [str(scope) for (scope,) in await read(sql, ())]


async def find_erasure(read: Read, dialect: Dialect, scope: str) -> Erasure | None:
    """The erasure of somebody, if there was one."""
    sql = f'SELECT "scope", "receipt" FROM "{TABLE}" WHERE "scope" = {dialect.placeholder(1)}'
    return next((_erasure(row) for row in await read(sql, (scope,))), None)


async def known_scopes(read: Read, dialect: Dialect, scopes: Sequence[str]) -> list[str]:
    """Those of these scopes that have or had keys of people or tenants, or are known to be erased."""
    found: set[str] = set()
    for start in range(0, len(scopes), _AT_ONCE):
        some = scopes[start : start + _AT_ONCE]
        marks = ", ".join(dialect.placeholder(n) for n, _ in enumerate(some, 1))
        for table in (SUBJECT_KEYS, TABLE):
            rows = await read(f'SELECT DISTINCT "scope" FROM "{table}" WHERE "scope" IN ({marks})', some)
            found |= {str(scope) for (scope,) in rows}
    return sorted(found)


async def subject_key_ids(read: Read, dialect: Dialect, scope: str) -> list[int]:
    """The ids of all keys that somebody has or had."""
    sql = f'SELECT "key_id" FROM "{SUBJECT_KEYS}" WHERE "scope" = {dialect.placeholder(1)} ORDER BY "key_id"'
    return [int(key_id or 0) for (key_id,) in await read(sql, (scope,))]


async def destroy_subject(tx: Transaction, dialect: Dialect, scope: str) -> list[int]:
    """Destroy all keys of somebody; their ids, which stay known."""
    sql = f"""UPDATE "{SUBJECT_KEYS}" SET "state" = 'destroyed', "wrapped" = '', "is_primary" = 0,
        "updated" = {dialect.placeholder(1, "date")} WHERE "scope" = {dialect.placeholder(2)}"""
    await tx.run(sql, (now(), scope))
    return await subject_key_ids(tx.run, dialect, scope)


async def refuse_erased(tx: Transaction, dialect: Dialect, scope: str) -> None:
    """Nothing, unless somebody was erased. Raises `SubjectErased`."""
    if await find_erasure(tx.run, dialect, scope) is not None:
        raise SubjectErased(scope)


async def tell_erased(tx: Transaction, dialect: Dialect, receipt: Receipt, actor: str) -> None:
    """Let the other processes know, and write it down."""
    await append_change(tx, dialect, Change("keys", "", "", "update"))
    detail = {"keys": len(receipt.keys), "values": sum(receipt.values.values())}
    await append_entry(tx, dialect, Entry("subject_erased", "subject", receipt.scope, actor=actor, detail=detail))


async def insert_erasure(tx: Transaction, dialect: Dialect, receipt: Receipt, *, is_done: bool) -> bool:
    """Write down an erasure; False where it is written down already."""
    state = "done" if is_done else "begun"
    values = {"id": record_id(), "scope": receipt.scope, "receipt": receipt_text(receipt), "state": state}
    return await insert_row(tx, dialect, TABLE, {**values, "at": receipt.at})


async def end_erasure(tx: Transaction, dialect: Dialect, scope: str) -> None:
    """Write down that nothing is left to be done."""
    sql = f"""UPDATE "{TABLE}" SET "state" = 'done' WHERE "scope" = {dialect.placeholder(1)}"""
    await tx.run(sql, (scope,))


def _erasure(row: Row) -> Erasure:
    scope, receipt = row
    return Erasure(str(scope), parse_receipt(str(receipt)))
