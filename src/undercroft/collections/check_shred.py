"""May the values of a field be sealed with keys of whoever another field names?"""

from __future__ import annotations

from collections.abc import Iterator

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Encrypted
from undercroft.collections.indexes import Index
from undercroft.errors import FieldError, did_you_mean


def check_shred(collection: Collection, field: Field) -> Iterator[FieldError]:
    """What stands against it."""
    wanted, seal = collection.encryption(field), collection.seals.get(field.id)
    if wanted is None:
        if seal is not None and seal.subject and seal.subject not in collection.by_id:
            yield _error("The field that names whose values these are has to stay until they are decrypted.")
        return
    if not wanted.shred:
        return
    yield from _owner(collection, field, wanted.shred)
    if wanted.algorithm != "AES-256-GCM":
        yield _error('Keys of people and tenants are for AES-256-GCM: leave out "algorithm".')


def shred_problem(index: Index, field: Field, wanted: Encrypted) -> str:
    """Why an index cannot have such a field as it does: values are empty once they were erased, and many can be."""
    if wanted.shred and index.is_unique and field.name.lower() not in index.where.lower():
        return f"its values can be erased, so a unique index on it has the condition WHERE {field.name} != ''"
    return ""


def _owner(collection: Collection, field: Field, name: str) -> Iterator[FieldError]:
    owner = collection.by_name.get(name)
    if owner is None:
        hint = did_you_mean(name, list(collection.by_name))
        yield _error(f"There is no field {name!r} that could name whose values these are.{hint}")
        return
    if owner is field or owner.type not in ("relation", "text") or owner.is_multiple:
        yield _error(
            f"{name!r} cannot name whose values these are: that is a relation to one record, a text, or the id."
        )
    elif collection.encryption(owner) is not None:
        yield _error(f"{name!r} cannot name whose values these are, since it is encrypted itself.")
    elif name != "id" and not owner.is_required:
        yield _error(f"{name!r} has to be required: what is nobody's could not be erased.")


def _error(text: str) -> FieldError:
    return FieldError("validation_encrypted_field", text)
