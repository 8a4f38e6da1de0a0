"""What becomes of the encryption of fields when a definition changes, and what keys that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from undercroft.collections.catalog import Catalog
from undercroft.collections.cipher import index_scope, value_scope
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Algorithm as Wanted
from undercroft.collections.fields.encrypted import Encrypted, Normalize
from undercroft.collections.seals import Index, Seal
from undercroft.encryption.keyset import Algorithm, Purpose

ALGORITHMS: Final[dict[Wanted, Algorithm]] = {"AES-256-GCM": "AES256_GCM", "AES-256-GCM-SIV": "AES256_GCM_SIV"}


@dataclass(frozen=True, slots=True)
class NeededKeys:
    """A key set that a collection needs."""

    purpose: Purpose
    scope: str
    algorithm: Algorithm


def changes_encryption(old: Collection | None, new: Collection) -> bool:
    """Whether some field that stays wants to be encrypted in another way, or not any more, or now."""
    if old is None:
        return False
    kept = [(old.by_id[field.id], field) for field in new.fields if field.id in old.by_id]
    return any(old.encryption(was) != new.encryption(now) for was, now in kept)


def with_seal(collection: Collection, field_id: str, seal: Seal | None) -> Collection:
    """The definition with how far one field is; None: it is a plain one."""
    others = {known: each for known, each in collection.seals.items() if known != field_id}
    return replace(collection, seals=others if seal is None else {**others, field_id: seal})


def with_seals(old: Collection | None, new: Collection, *, is_empty: bool) -> Collection:
    """The new definition with how far its encrypted fields are once it is put in place.

    Where no records are there nothing has to follow, and everything is as wanted at once.
    """
    seals: dict[str, Seal] = {}
    for field in new.fields:
        was = old.seals.get(field.id) if old is not None and field.id in old.by_id else None
        is_new = old is None or field.id not in old.by_id
        seal = _next_seal(was, new.encryption(field), is_settled=is_new or is_empty)
        if seal is not None:
            seals[field.id] = replace(seal, subject=was.subject if was is not None else subject_of(new, field))
    return replace(new, seals=seals)


def subject_of(collection: Collection, field: Field) -> str:
    """The id of the field that names whose values a field has, if its option says so and there is one."""
    wanted = collection.encryption(field)
    owner = collection.by_name.get(wanted.shred) if wanted is not None else None
    return owner.id if owner is not None else ""


def _next_seal(was: Seal | None, wanted: Encrypted | None, *, is_settled: bool) -> Seal | None:
    if wanted is None:
        # Of a field that was on its way, the plain column still has everything.
        if was is None or was.phase == "sealing" or is_settled:
            return None
        return replace(was, phase="opening", filling=None)
    if was is None or (is_settled and was.phase != "sealed"):
        index = Index(1, wanted.normalize) if wanted.search == "equality" else None
        return sealed_as(Seal("sealed" if is_settled else "sealing", index), wanted)
    if is_settled or was.subject:
        # Keys of people do not turn, so how values are sealed changes with their next write.
        was = sealed_as(was, wanted)
    return _with_index(replace(was, phase="sealed") if was.phase == "opening" else was, wanted, is_settled=is_settled)


def _with_index(was: Seal, wanted: Encrypted, *, is_settled: bool) -> Seal:
    if wanted.search == "none":
        return replace(was, index=None, filling=None)
    if was.indexes and was.indexes[-1].normalize == wanted.normalize:
        return was
    if takes_back(was, wanted):
        return replace(was, filling=None)
    fresh = _next_index(was, wanted.normalize)
    if was.phase == "sealing":
        return replace(was, index=fresh)
    return replace(was, index=fresh, filling=None) if is_settled else replace(was, filling=fresh)


def _next_index(seal: Seal, normalize: Normalize) -> Index:
    return Index(1 + max((index.number for index in seal.indexes), default=0), normalize)


def takes_back(seal: Seal, wanted: Encrypted) -> bool:
    """Whether spellings shall be the same as they still are, where others are on their way."""
    known = seal.index if seal.phase == "sealed" and seal.filling is not None else None
    return known is not None and wanted.search == "equality" and known.normalize == wanted.normalize


def sealed_as(seal: Seal, wanted: Encrypted) -> Seal:
    """A seal that says that all values are sealed as they are to be, or will be."""
    return replace(seal, algorithm=wanted.algorithm, pad=wanted.pad)


def is_sealed_as(seal: Seal, wanted: Encrypted) -> bool:
    """Whether values are sealed as they are to be; all have to be sealed anew where they are not."""
    return (seal.algorithm, seal.pad) == (wanted.algorithm, wanted.pad)


def refilled(seal: Seal) -> Seal:
    """A seal with a new index, with a key of its own, that is filled to take the place of the one there is."""
    if seal.index is None or is_under_way(seal):
        return seal
    return replace(seal, filling=_next_index(seal, seal.index.normalize))


def turned(seal: Seal) -> Seal | None:
    """What follows once every value has come along: what was being filled is read. None: it is a plain field."""
    if seal.phase == "opening":
        return None
    return replace(seal, phase="sealed", index=seal.indexes[-1] if seal.indexes else None, filling=None)


def is_under_way(seal: Seal) -> bool:
    """Whether values still have to come along."""
    return seal.phase != "sealed" or seal.filling is not None


def settled(collection: Collection) -> Collection:
    """The collection as rules must work with it: with every field sealed that is to be."""
    if all(seal.phase != "sealing" for seal in collection.seals.values()):
        return collection
    seals = {field_id: replace(seal, phase="sealed") for field_id, seal in collection.seals.items()}
    return replace(collection, seals=seals)


def settled_catalog(catalog: Catalog) -> Catalog:
    """The catalog with every field sealed that is to be."""
    moved = [now for was in catalog if (now := settled(was)) is not was]
    return catalog.put(*moved) if moved else catalog


def needed_keys(collection: Collection) -> Iterator[NeededKeys]:
    """The key sets that the encrypted fields of a collection need."""
    for field in collection.fields:
        seal = collection.seals.get(field.id)
        if seal is None:
            continue
        wanted, scope = collection.encryption(field) or Encrypted(), value_scope(collection.id, field.id)
        if not seal.subject:
            yield NeededKeys("value", scope, ALGORITHMS[wanted.algorithm])
        for index in seal.indexes:
            yield NeededKeys("index", index_scope(scope, index.number), "HMAC_SHA256_128")


def index_of(collection: Collection, field: Field) -> Index | None:
    """The index by which a sealed field is looked up now, if it has one."""
    seal = collection.seals.get(field.id)
    return seal.index if seal is not None and seal.is_read else None
