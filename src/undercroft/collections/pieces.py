"""What is under way with encrypted fields, piece by piece: values that have to come along into other columns.

seal     values of a plain field, into cells
open     values of cells, back into a plain column
index    values of cells, into a new column of fingerprints
reseal   values of cells that older keys sealed, into cells of the primary one
texts    the server's own secrets that older keys of the system sealed: of no collection, and of no field
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from undercroft.collections.catalog import Catalog
from undercroft.collections.cipher import Keys, value_scope
from undercroft.collections.collection import Collection
from undercroft.collections.seals import Seal
from undercroft.encryption.keyset import KeySet, Purpose

PieceKind = Literal["seal", "open", "index", "reseal", "texts"]
KINDS: Final[tuple[PieceKind, ...]] = get_args(PieceKind)


@dataclass(frozen=True, slots=True)
class Piece:
    """Values of one field that have to come along, or texts; `number` is that of the index, or of the key."""

    kind: PieceKind
    collection: str
    field: str
    number: int = 0

    @property
    def scope(self) -> str:
        """The scope of the keys of the field, or of the system."""
        return value_scope(self.collection, self.field) if self.collection else ""

    @property
    def purpose(self) -> Purpose:
        """What these keys are for."""
        return "value" if self.collection else "system"


def pieces_of(catalog: Catalog) -> Iterator[Piece]:
    """All that is under way, going by the definitions and the keys there are."""
    for collection in catalog:
        yield from pieces_within(collection, catalog.keys)
    keys = catalog.keys
    if keys is not None and keys.has("system", "") and older_keys(held := keys.key_set("system", "")):
        yield Piece("texts", "", "", held.primary_id)


def pieces_within(collection: Collection, keys: Keys | None) -> Iterator[Piece]:
    """All that is under way in one collection."""
    for field in collection.fields:
        seal = collection.seals.get(field.id)
        if seal is not None:
            yield from _of_seal(collection.id, field.id, seal)
            yield from _of_keys(collection, field.id, seal, keys)


def _of_seal(collection_id: str, field_id: str, seal: Seal) -> Iterator[Piece]:
    if seal.phase == "sealing":
        yield Piece("seal", collection_id, field_id)
    if seal.phase == "opening":
        yield Piece("open", collection_id, field_id)
    if seal.filling is not None:
        yield Piece("index", collection_id, field_id, seal.filling.number)


def _of_keys(collection: Collection, field_id: str, seal: Seal, keys: Keys | None) -> Iterator[Piece]:
    scope = value_scope(collection.id, field_id)
    if keys is None or seal.phase == "opening" or not keys.has("value", scope):
        return
    held = keys.key_set("value", scope)
    if older_keys(held):
        yield Piece("reseal", collection.id, field_id, held.primary_id)


def older_keys(held: KeySet) -> list[int]:
    """The keys of a set that may have sealed what is there, and seal no more."""
    return [key.id for key in held.keys if key.state == "enabled" and key.id != held.primary_id]
