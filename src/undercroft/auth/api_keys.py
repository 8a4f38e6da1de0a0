"""API keys: what an account gives its programs, so that they need neither its password nor its tokens.

A key is `uck_ID_SECRET`. The table has the hash of the secret, and binds it as sessions are bound, so whatever ends the
account's tokens ends all its API keys. What a key may do is written in its scopes. Whoever revokes one says so in the
change log, which has every process close what was opened with it.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from undercroft.auth.accounts import Accounts
from undercroft.auth.binding import LENGTH, Binding, find_account, fingerprint, hash_of, new_value
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.statements import Run, delete_rows, equal, insert_row
from undercroft.errors import BadRequest, NotFound
from undercroft.ids import record_id
from undercroft.query.grant import Grant
from undercroft.query.scope import Identity

PREFIX: Final = "uck_"
MOST: Final = 50
LONGEST_NAME: Final = 100
_FORM: Final = re.compile(rf"{PREFIX}([a-z0-9]{{15}})_([A-Za-z0-9]{{{LENGTH}}})")
_NO_HASH: Final = "-" * 64
_COLUMNS: Final = '"id", "collection", "record", "name", "scopes", "address", "created", "expires", "used"'
_decode_scopes = msgspec.json.Decoder(tuple[str, ...]).decode


class TooManyKeys(BadRequest):
    """The account has as many API keys as one may have."""

    code = "too_many_api_keys"
    default = f"An account has {MOST} API keys at most. Revoke one that is no longer used."


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, as it is kept; moments are in seconds since 1970, 0 for never. `address` is where it was last used."""

    id: str
    collection: str
    record: str
    name: str
    scopes: tuple[str, ...]
    address: str
    created: float
    expires: float
    used: float

    @property
    def shown(self) -> str:
        """How the key begins: what tells it from others, and opens nothing."""
        return f"{PREFIX}{self.id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key is to be; `scopes` name collections by their ids."""

    name: str
    scopes: tuple[str, ...]
    expires: float = 0.0


async def add_key(tx: Transaction, dialect: Dialect, account: Identity, wanted: Wanted) -> tuple[ApiKey, str]:
    """A new key of an account, and its text, which is kept nowhere. Raises `TooManyKeys`."""
    if len(await list_keys(tx.run, dialect, account)) >= MOST:
        raise TooManyKeys
    secret, moment = new_value(), time.time()
    key = ApiKey(
        record_id(), account.collection.id, account.id, wanted.name, wanted.scopes, "", moment, wanted.expires, 0.0
    )
    row: dict[str, Value] = {
        "id": key.id,
        "collection": key.collection,
        "record": key.record,
        "name": key.name,
        "hash": hash_of(secret),
        "fingerprint": fingerprint(secret, account),
        "scopes": msgspec.json.encode(key.scopes).decode(),
        "address": "",
        "created": key.created,
        "expires": key.expires,
        "used": 0.0,
    }
    await insert_row(tx, dialect, "_api_keys", row)
    return key, f"{key.shown}_{secret}"


async def find_by_key(accounts: Accounts, text: str) -> Identity | None:
    """Whose key a text is, asked anew on every request, and what it lets them do; None when it is no good key."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    key_id, secret = form.groups()
    sql = f"""SELECT "hash", "scopes", "expires", "collection", "record", "fingerprint" FROM "_api_keys"
        WHERE "id" = {accounts.engine.dialect.placeholder(1)}"""
    rows = await accounts.engine.read(sql, [key_id])
    kept, scopes, expires, *bound = rows[0] if rows else (_NO_HASH, "[]", 0.0, "", "", "")
    # An id that is not there is compared as well: how long it takes tells nothing.
    if not hmac.compare_digest(str(kept), hash_of(secret)) or _is_over(expires):
        return None
    account = await find_account(accounts, secret, Binding(*map(str, bound)))
    return Identity(account.collection, account.record, _grant(key_id, scopes, expires)) if account else None


async def find_grant(engine: Engine, account: Identity, key_id: str) -> Grant | None:
    """What a key lets its account do; None when the account has no such key, or it is over.

    Whether the account still has the token key of then is for the caller to know.
    """
    where = {"id": key_id, "collection": account.collection.id, "record": account.id}
    sql = f'SELECT "scopes", "expires" FROM "_api_keys" WHERE {equal(engine.dialect, where)}'
    rows = await engine.read(sql, list(where.values()))
    return _grant(key_id, *rows[0]) if rows and not _is_over(rows[0][1]) else None


async def is_key_open(engine: Engine, key_id: str) -> bool:
    """Whether a key has neither been revoked nor expired."""
    rows = await engine.read(
        f'SELECT "expires" FROM "_api_keys" WHERE "id" = {engine.dialect.placeholder(1)}', [key_id]
    )
    return bool(rows) and not _is_over(rows[0][0])


async def list_keys(run: Run, dialect: Dialect, account: Identity | None = None) -> list[ApiKey]:
    """The keys of an account, or all there are; the oldest first."""
    where: Mapping[str, Value] = {"collection": account.collection.id, "record": account.id} if account else {}
    condition = f"WHERE {equal(dialect, where)}" if where else ""
    sql = f'SELECT {_COLUMNS} FROM "_api_keys" {condition} ORDER BY "created", "id"'
    return [_from_row(row) for row in await run(sql, list(where.values()))]


async def revoke_key(engine: Engine, key_id: str, account: Identity | None = None) -> None:
    """Revoke a key, one of an account where one is given. Raises `NotFound`."""
    dialect = engine.dialect
    where: dict[str, Value] = {"id": key_id}
    if account is not None:
        where |= {"collection": account.collection.id, "record": account.id}

    async def revoke(tx: Transaction) -> None:
        sql = f'SELECT "collection", "record" FROM "_api_keys" WHERE {equal(dialect, where)}'
        rows = await tx.run(sql, list(where.values()))
        if not rows:
            raise NotFound
        await delete_rows(tx.run, dialect, "_api_keys", where)
        await append_change(tx, dialect, Change("credentials", str(rows[0][0]), str(rows[0][1]), "delete"))

    await engine.write(revoke)


def _is_over(expires: Value) -> bool:
    return bool(expires) and float(expires or 0) <= time.time()


def _grant(key_id: str, scopes: Value, expires: Value) -> Grant:
    return Grant(key_id, frozenset(_decode_scopes(str(scopes))), float(expires or 0))


def _from_row(row: Row) -> ApiKey:
    key_id, collection, record, name, scopes, address = map(str, row[:6])
    created, expires, used = (float(value or 0) for value in row[6:])
    return ApiKey(key_id, collection, record, name, _decode_scopes(scopes), address, created, expires, used)
