"""Bounds on guessing: a stranger's tries use up none of the account's own, up to a bound for all together."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.auth.identify import Accounts
from undercroft.auth.rations import ration_key, take_ration
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction


@dataclass(frozen=True, slots=True)
class Bound:
    """How many tries there are of something from one place, and how many in all, each within some seconds."""

    name: str
    own: int
    own_seconds: float
    all: int
    all_seconds: float


async def is_one_too_many(backend: Accounts, bound: Bound, collection: Collection, whose: str, client: str) -> bool:
    """Count a try at something of an account, from a place; whether it must not be looked at."""
    dialect = backend.engine.dialect
    mine, everyones = (ration_key(bound.name, collection.id, whose, *more) for more in ((client,), ()))

    async def count(tx: Transaction) -> bool:
        if await take_ration(tx, dialect, mine, bound.own_seconds) > bound.own:
            return True
        return await take_ration(tx, dialect, everyones, bound.all_seconds) > bound.all

    return await backend.engine.write(count)
