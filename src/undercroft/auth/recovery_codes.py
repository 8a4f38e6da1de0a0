"""Recovery codes: a list on paper for who has lost their authenticator app, each good once.

They are long enough that nobody guesses one (118 bits), and so a quick hash is kept of each.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction, Value
from undercroft.database.statements import Run, delete_rows, equal, insert_row
from undercroft.ids import random_text
from undercroft.query.scope import Identity

COUNT: Final = 10
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without what looks alike
_GROUPS: Final = 4
_GROUP: Final = 6


def new_recovery_codes() -> list[str]:
    """A new list."""
    return ["-".join(random_text(_GROUP, _ALPHABET) for _ in range(_GROUPS)) for _ in range(COUNT)]


async def save_recovery_codes(tx: Transaction, dialect: Dialect, account: Identity, codes: Sequence[str]) -> None:
    """Let these codes count, and no earlier ones."""
    owner = _owner(account)
    await delete_rows(tx.run, dialect, "_recovery_codes", owner)
    for code in codes:
        row: dict[str, Value] = {"id": _hash(account, code), **owner, "created": time.time()}
        await insert_row(tx, dialect, "_recovery_codes", row)


async def use_recovery_code(tx: Transaction, dialect: Dialect, account: Identity, code: str) -> bool:
    """Whether it is a code of the account, which counts no more."""
    return await delete_rows(tx.run, dialect, "_recovery_codes", {"id": _hash(account, code)}) > 0


async def count_recovery_codes(run: Run, dialect: Dialect, account: Identity) -> int:
    """How many codes an account has left."""
    owner = _owner(account)
    rows = await run(f'SELECT count(*) FROM "_recovery_codes" WHERE {equal(dialect, owner)}', list(owner.values()))
    return int(rows[0][0] or 0)


def _owner(account: Identity) -> dict[str, Value]:
    return {"collection": account.collection.id, "record": account.id}


def _hash(account: Identity, code: str) -> str:
    """The hash of a code, however it was typed."""
    plain = "".join(sign for sign in code.lower() if sign in _ALPHABET)
    told = f"recovery code\0{account.collection.id}\0{account.id}\0{plain}"
    return sha256(told.encode()).hexdigest()
