"""Turning the keys of a set: a new key spreads to every process first, and seals only then.

What the old key sealed goes on opening with it; sealing it anew is work of its own,
which those do who are told of promotions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from undercroft.database.engine import Engine
from undercroft.encryption.keyset import Algorithm
from undercroft.errors import Conflict, Unavailable
from undercroft.keys.audit import append_entry
from undercroft.keys.changing import SetOf, add_key, promote_key
from undercroft.keys.holders import PRESENT_SECONDS, Holder, list_holders

ROLL_OUT_SECONDS: Final = PRESENT_SECONDS + 30.0
_LOOK_SECONDS: Final = 0.1


class RollOutTooSlow(Unavailable):
    """Not every process said that it has the new key; none seals with it, and all goes on as before."""

    code = "roll_out_too_slow"

    def __init__(self, key_id: int, late: Sequence[Holder], seconds: float) -> None:
        names = ", ".join(holder.label for holder in late)
        super().__init__(
            f"The new key {key_id} has not reached {names} within {seconds:g} seconds. It stays pending and seals "
            "nothing: see why these processes do not answer, and rotate again."
        )


class IndexKeyStays(Conflict):
    """The key of an index is to turn by itself, and the values in it would not be found any more."""

    code = "index_key_stays"
    default = (
        "The key of an index turns with its index, which is filled anew under another number: nothing would be found. "
        "Turn it by naming the field: `undercroft keys rotate index COLLECTION/FIELD`."
    )


class SubjectKeyStays(Conflict):
    """The key of a person or tenant is to turn."""

    code = "subject_key_stays"
    default = "Keys of people and tenants do not turn: each seals little, and goes when they are erased."


@dataclass(frozen=True, slots=True)
class Rotated:
    """Which key took the place of which."""

    old_id: int
    new_id: int


async def rotate_key(keys: SetOf, algorithm: Algorithm | None = None, *, seconds: float = ROLL_OUT_SECONDS) -> Rotated:
    """Seal with a new key, once every process has it. Raises `RollOutTooSlow` and `UnknownKeySet`.

    A key that is pending from a rotation that failed is used. Keys of indexes and of subjects stay: raises
    `IndexKeyStays` and `SubjectKeyStays`.
    """
    if keys.purpose == "index":
        raise IndexKeyStays
    if keys.purpose == "subject":
        raise SubjectKeyStays
    key = await add_key(keys, algorithm)
    old_id = keys.keyring.key_set(keys.purpose, keys.scope).primary_id
    late = await wait_for_holders(keys.engine, keys.keyring.revision, seconds)
    if late:
        await keys.engine.write(lambda tx: append_entry(tx, keys.dialect, keys.entry("rotation_failed", key.id)))
        raise RollOutTooSlow(key.id, late, seconds)
    await promote_key(keys, key.id)
    return Rotated(old_id, key.id)


async def wait_for_holders(engine: Engine, revision: int, seconds: float) -> list[Holder]:
    """Wait until every process has read that revision; those that have not in that time."""
    until = monotonic() + seconds
    while late := [holder for holder in await list_holders(engine) if holder.revision < revision]:
        if monotonic() > until:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return late
