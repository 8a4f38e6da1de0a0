"""Bounds on guessing: a stranger's tries use up none of the account's own, up to a bound for all together."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.auth.accounts import Accounts
from undercroft.auth.rations import ration_key, take_ration
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.http.client_ip import network_of


@dataclass(frozen=True, slots=True)
class Bound:
    """How many tries there are of something from one place, and how many in all, each within some seconds."""

    name: str
    own: int
    own_seconds: float
    all: int
    all_seconds: float


async def count_try(backend: Accounts, bound: Bound, collection: Collection, whose: str, client: str) -> int:
    """Count a try at something of an account, from an address; 0, or the seconds until the next may be looked at."""
    dialect, network = backend.engine.dialect, network_of(client)
    mine, everyones = (ration_key(bound.name, collection.id, whose, *more) for more in ((network,), ()))

    async def count(tx: Transaction) -> int:
        own = await take_ration(tx, dialect, mine, bound.own_seconds)
        if own.count > bound.own:
            return own.wait
        all_ = await take_ration(tx, dialect, everyones, bound.all_seconds)
        return all_.wait if all_.count > bound.all else 0

    return await backend.engine.write(count)
