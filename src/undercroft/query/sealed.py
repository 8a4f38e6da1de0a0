"""Comparing encrypted fields.

The database sees nothing of their values, but fingerprints of those that may be looked up.
So a field is asked whether it is empty, or whether it is a value that is known when the
statement runs; its fingerprint is then bound in place of the value. Whatever else is asked
of it is refused, in a sentence that names the field, and never compiled into something that
would quietly find nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from undercroft.collections.cipher import SealedField, cipher_of
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import index_of
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.casts import as_number
from undercroft.collections.seals import Index
from undercroft.database.engine import Value
from undercroft.query.binds import Binds, Inputs, Source
from undercroft.query.errors import FilterError
from undercroft.query.operand import Operand, SealedSide
from undercroft.query.tree import Operator

_NOTHING = b""  # no fingerprint is that


class FieldIsEncrypted(FilterError):
    """What was asked of an encrypted field cannot be asked of it."""

    code = "field_is_encrypted"

    def __init__(self, name: str, reason: str, at: int = -1) -> None:
        super().__init__(f"the field {name!r} is encrypted: {reason}", at)
        self.name = name


@dataclass(frozen=True, slots=True)
class Forms:
    """How the operand of a field is had as its fingerprints, and as its cells."""

    as_index: Callable[[], Operand]
    as_cell: Callable[[], Operand]


def refuse_parts(field: Field, parts: Sequence[str], modifier: str, at: int) -> None:
    """Raise when something else is asked of an encrypted field than its value."""
    if parts:
        raise FieldIsEncrypted(field.name, f"{'.'.join(parts)!r} cannot be read of it", at)
    if modifier:
        raise FieldIsEncrypted(field.name, f"it cannot be read with :{modifier}", at)


def sealed_side(collection: Collection, field: Field, forms: Forms, at: int) -> SealedSide:
    """An encrypted field as one side of a comparison."""
    return SealedSide(collection, field, index_of(collection, field), forms.as_index, forms.as_cell, at)


def as_plain(operand: Operand) -> Operand:
    """The operand of anything but a comparison. Raises `FieldIsEncrypted`."""
    side = operand.sealed
    if side is not None:
        raise FieldIsEncrypted(side.field.name, "it can only be compared, with = and !=", side.at)
    return operand


def unsealed(left: Operand, operator: Operator, right: Operand, binds: Binds) -> tuple[Operand, Operand]:
    """Both sides as SQL can compare them. Raises `FieldIsEncrypted`."""
    if left.sealed is None and right.sealed is None:
        return left, right
    side = left.sealed or right.sealed
    assert side is not None  # noqa: S101 - for mypy
    if operator not in ("=", "!="):
        raise FieldIsEncrypted(side.field.name, f"it can be compared with = and !=, not with {operator}", side.at)
    if left.sealed is not None and right.sealed is not None:
        return _both(left.sealed, right.sealed)
    if left.sealed is not None:
        return _beside(left.sealed, right, binds)
    other, sealed = _beside(side, left, binds)[::-1]
    return other, sealed


def _both(left: SealedSide, right: SealedSide) -> tuple[Operand, Operand]:
    is_same = (left.collection.id, left.field.id) == (right.collection.id, right.field.id)
    if not is_same or left.index is None:
        reason = "it cannot be compared with another field, which is encrypted with keys of its own"
        raise FieldIsEncrypted(left.field.name, reason, left.at)
    return left.as_index(), right.as_index()


def _beside(side: SealedSide, other: Operand, binds: Binds) -> tuple[Operand, Operand]:
    if other.is_empty:
        return side.as_cell(), other
    if side.index is None:
        reason = 'its values cannot be looked up; {"search": "equality"} in its definition makes them so'
        raise FieldIsEncrypted(side.field.name, reason, side.at)
    if other.source is None:
        reason = "it can only be compared with a value, not with another field or with what is computed from one"
        raise FieldIsEncrypted(side.field.name, reason, side.at)
    bound = binds.add(_fingerprint_source(side, side.index, other.source), "bytes")
    return side.as_index(), Operand(bound, is_filled=True)


def _fingerprint_source(side: SealedSide, index: Index, source: Source) -> Source:
    name, collection, column = side.field.name, side.collection, side.field.column

    def fingerprint(inputs: Inputs) -> Value:
        value = _comparable(source(inputs), is_number=column == "number")
        return _NOTHING if value is None else cipher_of(collection).by_name[name].fingerprint(index, value)

    return fingerprint


def _comparable(value: Value, *, is_number: bool) -> Value:
    """A value as the column would hold it, or None when nothing in the column can be equal to it."""
    if isinstance(value, bytes) or value is None:
        return None
    if not is_number:
        return value if isinstance(value, str) else repr(float(value))
    if isinstance(value, str):
        return as_number(value) if _is_number(value) else None
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def cell_source(sealed_name: str, collection: Collection) -> Source:
    """Whether a draft has a value for an encrypted field, in place of a cell."""

    def cell(inputs: Inputs) -> Value:
        value = inputs.named[sealed_name]
        return None if value is None or value == _sealed(collection, sealed_name).zero else b"\x01"

    return cell


def draft_fingerprint_source(name: str, collection: Collection, index: Index) -> Source:
    """The fingerprint of a draft's value."""
    return lambda inputs: _sealed(collection, name).fingerprint(index, inputs.named[name])


def _sealed(collection: Collection, name: str) -> SealedField:
    return cipher_of(collection).by_name[name]
