"""Where the secrets of authenticator apps are kept: written here and read here, and nowhere else.

Each is sealed for the row of its account: who reads the table makes no codes, and a secret that is
copied to another account's row opens nowhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Texts, Transaction, Value
from undercroft.database.statements import Run, delete_rows, insert_row
from undercroft.query.scope import Identity


@dataclass(frozen=True, slots=True)
class Seed:
    """A secret, sealed. Codes up to `last_step` count no more; none count until the account has shown one."""

    sealed: str
    last_step: int
    is_confirmed: bool


async def load_seed(run: Run, dialect: Dialect, account: Identity) -> Seed | None:
    """The secret of an account; None when it has none."""
    sql = f'SELECT "seed", "step", "confirmed" FROM "_totp" WHERE "id" = {dialect.placeholder(1)}'
    rows = await run(sql, [seed_key(account)])
    if not rows:
        return None
    sealed, step, confirmed = rows[0]
    return Seed(str(sealed), int(step or 0), bool(confirmed))


def open_seed(texts: Texts, account: Identity, seed: Seed) -> str:
    """The secret itself. Raises `DecryptionFailed` and `KeysUnavailable`."""
    return texts.open_text(_place(account), seed.sealed)


async def save_seed(tx: Transaction, dialect: Dialect, account: Identity, text: str) -> None:
    """Keep a secret that is not confirmed yet, instead of what was there."""
    await delete_rows(tx.run, dialect, "_totp", {"id": seed_key(account)})
    row: dict[str, Value] = {
        "id": seed_key(account),
        "collection": account.collection.id,
        "record": account.id,
        "seed": tx.texts.seal_text(_place(account), text),
        "step": 0,
        "confirmed": 0.0,
        "created": time.time(),
    }
    await insert_row(tx, dialect, "_totp", row)


def seed_key(account: Identity) -> str:
    """What the secret of an account is kept under."""
    return f"{account.collection.id}/{account.id}"


def _place(account: Identity) -> str:
    return f"_totp|seed|{seed_key(account)}"
