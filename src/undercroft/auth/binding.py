"""Unguessable values that stand for an account: kept as hashes, and bound to what its tokens are signed with.

Who reads the database has nothing that could be used: of a value it has the hash, and a fingerprint of the account's
key that cannot be made without the value. Whatever ends the account's tokens, another token key, as a new password
brings, or another secret of its collection, ends with them all that is bound.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from undercroft.auth.accounts import Accounts, find_auth_collection
from undercroft.auth.tokens import token_options
from undercroft.ids import random_text
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity

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
    """What binds a value to the key that an account has now."""
    return hmac.new(value.encode(), _key_of(identity).encode(), sha256).hexdigest()


def key_hash(identity: Identity) -> str:
    """What tells what is good now from what was bound to an account's earlier keys."""
    return hash_of(_key_of(identity))


async def find_account(accounts: Accounts, value: str, binding: Binding) -> Identity | None:
    """The account of a value; None when it is gone, or has another key."""
    collection = find_auth_collection(accounts.catalog, binding.collection)
    if collection is None:
        return None
    engine = accounts.engine
    identity = await find_identity(engine.read, engine.dialect, collection, {"id": binding.record})
    is_good = identity is not None and hmac.compare_digest(binding.fingerprint, fingerprint(value, identity))
    return identity if is_good else None


def _key_of(identity: Identity) -> str:
    return f"{identity.record['tokenKey']}{token_options(identity.collection, 'auth').secret}"
