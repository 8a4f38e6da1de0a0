"""Turning the key of an index: another index, with a key of its own, is filled beside the one that is read.

The one there is serves look-ups, and holds values apart, until the other is whole. So nothing is
ever found less or twice, and the old key has nothing left to tell once its column is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.collections.cipher import index_scope, value_scope
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import is_under_way, refilled, with_seal
from undercroft.collections.pieces import Piece
from undercroft.collections.seals import Seal
from undercroft.collections.store import Store, change_seals
from undercroft.database.engine import Transaction
from undercroft.errors import Conflict
from undercroft.keys.audit import SERVER, Entry, append_entry
from undercroft.records.reseal_labour import Host
from undercroft.records.resealings import begin_resealing


class NoIndexToTurn(Conflict):
    """The field has no index of fingerprints, so there is no key to turn."""

    code = "no_index_to_turn"


class FieldUnderWay(Conflict):
    """Values of the field are coming along already; that has to end first."""

    code = "field_under_way"


@dataclass(frozen=True, slots=True)
class TurnedIndex:
    """Which index is filled to take the place of which; each has a key of its own."""

    old: int
    new: int


async def turn_index(host: Host, collection_id: str, field_id: str, actor: str = SERVER) -> TurnedIndex:
    """Have a new index of an encrypted field filled, with a new key, by the server that does such work.

    It returns before that is done: the row of the work says how far it is. Raises `NoIndexToTurn` and `FieldUnderWay`.
    """
    turned: TurnedIndex | None = None

    async def change(tx: Transaction, collection: Collection) -> Collection:
        nonlocal turned
        seal = _seal_to_turn(collection, field_id)
        after = refilled(seal)
        turned = TurnedIndex(*(index.number for index in after.indexes))
        scope = index_scope(value_scope(collection_id, field_id), turned.new)
        await append_entry(tx, host.engine.dialect, Entry("rotation_started", "index", scope, actor=actor))
        await begin_resealing(tx, host.engine.dialect, Piece("index", collection_id, field_id, turned.new))
        return with_seal(collection, field_id, after)

    await change_seals(Store(host.engine, host.catalogs, lambda *_: None), collection_id, change)
    if turned is None:
        raise NoIndexToTurn("The collection is not there any more.")
    return turned


def _seal_to_turn(collection: Collection, field_id: str) -> Seal:
    field, seal = collection.by_id.get(field_id), collection.seals.get(field_id)
    if field is None or seal is None or seal.index is None:
        name = f"{collection.name}/{field.name if field is not None else field_id}"
        raise NoIndexToTurn(
            f"{name} has no index to turn the key of: it is not encrypted, or cannot be looked up "
            '(that takes {"search": "equality"}).'
        )
    if is_under_way(seal):
        raise FieldUnderWay(
            f"Values of {collection.name}/{field.name} are coming along already: `undercroft keys work` says how far "
            "that is. Turn the key when it is done."
        )
    return seal
