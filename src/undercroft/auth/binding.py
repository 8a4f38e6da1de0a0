"""Unguessable values that stand for an account: kept as hashes, and bound to the account's token key.

Who reads the database has nothing that could be used: of a value it has the hash, and a fingerprint of the token key
that cannot be made without the value. Whatever gives the account another token key, as a new password does, ends
with its tokens all that is bound to it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from undercroft.auth.accounts import Accounts, find_auth_collection
from undercroft.ids import random_text
from undercroft.query.scope import Identity
from undercroft.records.record import find_record

LENGTH: Final = 43  # characters of 62 kinds: 256 bits


@dataclass(frozen=True, slots=True)
class Binding:
    """Whose a value is, by ids, and the fingerprint that was kept with it."""

    collection: str
    record: str
    fingerprint: str


def new_value() -> str:
    """A value that nobody guesses."""
    return random_text(LENGTH)


def hash_of(value: str) -> str:
    """What of a value is kept."""
    return sha256(value.encode(errors="surrogatepass")).hexdigest()


def fingerprint(value: str, identity: Identity) -> str:
    """What binds a value to the token key that an account has now."""
    return hmac.new(value.encode(), identity.record["tokenKey"].encode(), sha256).hexdigest()


async def find_account(accounts: Accounts, value: str, binding: Binding) -> Identity | None:
    """The account of a value; None when it is gone, or has another token key."""
    collection = find_auth_collection(accounts.catalog, binding.collection)
    if collection is None:
        return None
    engine = accounts.engine
    record = await find_record(engine.read, engine.dialect, collection, {"id": binding.record})
    identity = Identity(collection, record) if record is not None else None
    is_good = identity is not None and hmac.compare_digest(binding.fingerprint, fingerprint(value, identity))
    return identity if is_good else None
