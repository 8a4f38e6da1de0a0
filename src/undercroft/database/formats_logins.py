"""Steps of the data format for ways to log in.

These tables are the house's own and no collections: what is in them are keys, which no rule,
filter, export or live update can lead to, and clients see no collection more than before.
"""

from __future__ import annotations

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.formats_work import create_table

_NAME_TYPE = "TEXT PRIMARY KEY NOT NULL"
_COUNT_TYPE = "BIGINT NOT NULL DEFAULT 0"


async def keep_passkeys(tx: Transaction, dialect: Dialect) -> None:
    """Passkeys, and tickets: what counts once and for a while."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    owner = {"collection": text, "record": text}
    columns = {"id": _NAME_TYPE, "kind": text, **owner, "data": text, "until": number}
    await create_table(tx, dialect, "_tickets", columns)
    await tx.run('CREATE INDEX "_tickets_until" ON "_tickets" ("until")')
    texts = dict.fromkeys(("credential", "handle", "key", "name", "details"), text)
    numbers = {"counter": _COUNT_TYPE, "created": number, "used": number}
    await create_table(tx, dialect, "_passkeys", {"id": _NAME_TYPE, **owner, **texts, **numbers})
    await tx.run('CREATE UNIQUE INDEX "_passkeys_credential" ON "_passkeys" ("credential")')
    await tx.run('CREATE INDEX "_passkeys_owner" ON "_passkeys" ("collection", "record")')


async def keep_invitations(tx: Transaction, dialect: Dialect) -> None:
    """Accounts that are ready, but for who is invited to them to come."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    texts = dict.fromkeys(("collection", "email", "hash", "offer", "inviter"), text)
    await create_table(tx, dialect, "_invitations", {"id": _NAME_TYPE, **texts, "created": number, "expires": number})
    await tx.run('CREATE UNIQUE INDEX "_invitations_hash" ON "_invitations" ("hash")')


async def keep_totp(tx: Transaction, dialect: Dialect) -> None:
    """What authenticator apps make codes from, and codes for who has lost theirs."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    owner = {"collection": text, "record": text}
    seed = {"id": _NAME_TYPE, **owner, "seed": text, "step": _COUNT_TYPE, "confirmed": number, "created": number}
    await create_table(tx, dialect, "_totp", seed)
    await create_table(tx, dialect, "_recovery_codes", {"id": _NAME_TYPE, **owner, "created": number})
    await tx.run('CREATE INDEX "_recovery_codes_owner" ON "_recovery_codes" ("collection", "record")')


async def keep_blocks(tx: Transaction, dialect: Dialect) -> None:
    """Accounts that nobody may come in with."""
    texts = dict.fromkeys(("collection", "record", "reason", "by"), dialect.column_type("text"))
    columns = {"id": _NAME_TYPE, **texts, "created": dialect.column_type("number")}
    await create_table(tx, dialect, "_blocks", columns)


async def keep_api_keys(tx: Transaction, dialect: Dialect) -> None:
    """Keys of programs; and where in the change log it says that something which stood for an account was ended."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    texts = dict.fromkeys(("collection", "record", "name", "hash", "fingerprint", "scopes", "address"), text)
    numbers = dict.fromkeys(("created", "expires", "used"), number)
    await create_table(tx, dialect, "_api_keys", {"id": _NAME_TYPE, **texts, **numbers})
    await tx.run('CREATE INDEX "_api_keys_owner" ON "_api_keys" ("collection", "record")')
    await tx.run("""INSERT INTO "_positions" ("kind", "position") VALUES ('credentials', 0)""")


async def keep_logins(tx: Transaction, dialect: Dialect) -> None:
    """Log-ins that gave a token, beside sessions in cookies; those that were ended stay until their tokens have."""
    text, number = dialect.column_type("text"), dialect.column_type("number")
    columns = {"kind": text, "account_key": text, "seen": number, "ended": _COUNT_TYPE}
    for name, kind in columns.items():
        await tx.run(f'ALTER TABLE "_sessions" ADD COLUMN "{name}" {kind}')
    await tx.run("""UPDATE "_sessions" SET "kind" = 'cookie'""")
    await tx.run('CREATE INDEX "_sessions_ended" ON "_sessions" ("expires") WHERE "ended" = 1')
