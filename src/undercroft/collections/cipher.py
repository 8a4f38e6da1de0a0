"""Sealing and opening the values of one collection, and the fingerprints by which they are looked up.

Everything here speaks of *column values*: text, numbers and JSON text, as a plain column holds them.
The empty value of a field is never sealed: its cell is NULL, so that every key can tell it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Encrypted
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.seals import Index
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Texts, Transaction, Value
from undercroft.encryption.blind_index import BlindIndex
from undercroft.encryption.failures import BadKeySet, DecryptionFailed, KeysUnavailable
from undercroft.encryption.keyset import Algorithm, KeySet, Purpose
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.plain import decode_number, decode_text, encode_number, encode_text, pad, unpad
from undercroft.encryption.subjects import SubjectKey
from undercroft.encryption.values import FieldCipher, key_id_of

_MADE: Final = 8  # indexes whose keys are held ready
_HELD: Final = 4096  # opened values of a field
_LONGEST: Final = 1024  # bytes of a cell whose value is held


Cell = tuple[bytes, str]
"""The bytes of a cell, and the id of the record it was found in."""


Read = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]
"""`Engine.read` or `Transaction.run`."""


class Keys(Texts, Protocol):
    """Where keys are had from: a key ring."""

    @property
    def app_id(self) -> str:
        """What all sealed values of this database are bound to."""
        ...

    def key_set(self, purpose: Purpose, scope: str) -> KeySet:
        """The keys of a purpose in a scope; the same object for as long as they are the same."""
        ...

    def has(self, purpose: Purpose, scope: str) -> bool:
        """Whether there are keys of a purpose in a scope."""
        ...

    def count(self, purpose: Purpose, scope: str, uses: int = 1) -> None:
        """Note that the primary key of a set has sealed so many messages more."""
        ...

    async def make(
        self, tx: Transaction, dialect: Dialect, purpose: Purpose, scope: str, algorithm: Algorithm
    ) -> KeySet:
        """Make a key set in a transaction; it can be used once that is durable."""
        ...

    def subject_key(self, key_id: int) -> SubjectKey:
        """A key of a person or tenant, by its id, which no two of them share. Raises `UnknownKey`."""
        ...

    def opened(self, scope: str) -> dict[Cell, Value]:
        """Values of a field that were opened with keys of people and tenants; for no longer than these are here."""
        ...

    async def know_subjects(self, read: Read, key_ids: Iterable[int]) -> None:
        """Have these keys of people and tenants here, as far as they are known anywhere."""
        ...

    async def find_subject(self, read: Read, scope: str) -> SubjectKey | None:
        """The key that seals for a person or tenant, as a transaction sees it; None: there is none."""
        ...

    async def hold_subject(self, tx: Transaction, dialect: Dialect, scope: str) -> SubjectKey:
        """The key that seals for a person or tenant, made if there is none. Raises `SubjectErased`."""
        ...


class SealedField:
    """One sealed field of a collection."""

    def __init__(self, collection_id: str, field: Field, wanted: Encrypted, keys: Keys) -> None:
        self.field = field
        self.scope = value_scope(collection_id, field.id)
        self._wanted = wanted
        self._keys = keys
        self._place = FieldPlace(keys.app_id, collection_id, field.id)
        self._zero = field.to_column(field.zero)
        self._is_number = field.column == "number"
        self._ready: FieldCipher | None = None
        self._opened: dict[Cell, Value] = {}
        self._indexes: dict[Index, tuple[KeySet, BlindIndex]] = {}

    @property
    def zero(self) -> Value:
        """The column value of the empty value."""
        return self._zero

    def cipher(self) -> FieldCipher:
        """The prepared ciphers of the keys there are now."""
        keys, ready = self._keys.key_set("value", self.scope), self._ready
        if ready is None or ready.keys is not keys:
            ready = self._ready = FieldCipher(keys, self._place)
            self._opened = {}
        return ready

    def opened(self) -> dict[Cell, Value]:
        """Values that were opened lately with the keys there are now; for no longer than that."""
        self.cipher()
        return self._opened

    def seal(self, value: Value, record_id: str, subject: SubjectKey | None = None) -> bytes | None:
        """The cell of a column value; it takes a `subject` where people or tenants have keys of their own."""
        if value is None or value == self._zero:
            return None
        return self._seal(pad(self._encode(value), self._wanted.pad), record_id, subject)

    def _seal(self, plain: bytes, record_id: str, subject: SubjectKey | None) -> bytes:
        del subject
        cell = self.cipher().seal(plain, record_id)
        self._keys.count("value", self.scope)
        return cell

    def open(self, cell: Value, record_id: str) -> Value:
        """The column value of a cell. Raises what `FieldCipher.open` raises.

        Records that are read often are opened once; a cell that was moved is another one.
        """
        value = self.open_once(cell, record_id)
        if isinstance(cell, bytes) and 0 < len(cell) <= _LONGEST:
            opened = self.opened()
            if len(opened) >= _HELD:
                del opened[next(iter(opened))]
            opened[cell, record_id] = value
        return value

    def open_once(self, cell: Value, record_id: str) -> Value:
        """The same, for a cell that will not be opened soon again."""
        if not cell:
            return self._zero
        if not isinstance(cell, bytes):
            raise DecryptionFailed("The cell holds no bytes.", self._place, record_id)
        return self._decode(self.cipher().open(cell, record_id))

    def _decode(self, opened: bytes) -> Value:
        plain = unpad(opened)
        return decode_number(plain) if self._is_number else decode_text(plain)

    def fingerprint(self, index: Index, value: Value) -> bytes:
        """What stands for a column value in an index, of the empty value too."""
        return self._index(index).of(self._encode(self._zero if value is None else value).decode())

    def _index(self, index: Index) -> BlindIndex:
        keys = self._keys.key_set("index", index_scope(self.scope, index.number))
        known = self._indexes.get(index)
        if known is not None and known[0] is keys:
            return known[1]
        if len(self._indexes) >= _MADE:
            self._indexes.clear()
        made = BlindIndex(keys.primary, self.field.id, index.normalize)
        self._indexes[index] = (keys, made)
        return made

    def _encode(self, value: Value) -> bytes:
        if isinstance(value, str):
            return encode_text(value)
        return encode_number(value) if isinstance(value, int | float) else b"null"


class SubjectField(SealedField):
    """A sealed field whose values are sealed with keys of people or tenants, each with its own.

    A cell names its key. So it is found without asking whose value it is, and once the key was erased the
    value is the empty one, in this field alone: everywhere else a key that is gone is an error.
    """

    def opened(self) -> dict[Cell, Value]:
        """Values that were opened lately; they go with the first key that was erased since."""
        return self._keys.opened(self.scope)

    def open_once(self, cell: Value, record_id: str) -> Value:
        """The column value of a cell, the empty one where its key was erased.

        Raises `UnknownKey` for a key that is not here, see `Keys.know_subjects`.
        """
        if not cell:
            return self._zero
        key_id = key_id_of(cell) if isinstance(cell, bytes) else None
        if key_id is None or not isinstance(cell, bytes):
            raise DecryptionFailed("The cell does not begin like a sealed one.", self._place, record_id)
        subject = self._keys.subject_key(key_id)
        if subject.is_erased:
            return self._zero
        return self._decode(subject.cipher(self._place).open(cell, record_id))

    def _seal(self, plain: bytes, record_id: str, subject: SubjectKey | None) -> bytes:
        if subject is None:
            raise BadKeySet(self.scope, "is of people or tenants, and nobody said of whom the value is")
        return subject.cipher(self._place).seal(plain, record_id)


class Cipher:
    """All sealed fields of a collection, by name."""

    def __init__(self, collection: Collection, keys: Keys) -> None:
        self.keys = keys
        self.by_name = {
            field.name: _sealed_field(collection, field, keys)
            for field in collection.fields
            if field.id in collection.seals
        }


def _sealed_field(collection: Collection, field: Field, keys: Keys) -> SealedField:
    kind = SubjectField if collection.seals[field.id].subject else SealedField
    return kind(collection.id, field, collection.encryption(field) or Encrypted(), keys)


def cipher_of(collection: Collection) -> Cipher:
    """The cipher of a collection of a catalog that has keys. Raises `KeysUnavailable` for others."""
    found: Cipher | None = collection.__dict__.get("_cipher")
    if found is None:
        raise KeysUnavailable
    return found


def equip(collection: Collection, keys: Keys) -> None:
    """Give a collection its cipher, unless it needs none or has one."""
    if collection.seals and "_cipher" not in collection.__dict__:
        collection.__dict__["_cipher"] = Cipher(collection, keys)


def value_scope(collection_id: str, field_id: str) -> str:
    """The scope of the keys of a field."""
    return f"{collection_id}/{field_id}"


def subject_scope(collection: Collection, owner: Field, value: str) -> str:
    """The scope of the key of whoever a field names: a record of a collection, or a text, the same everywhere."""
    if isinstance(owner, RelationField):
        return f"{owner.collection_id}/{value}"
    return f"{collection.id}/{value}" if owner.name == "id" else f"/{value}"


def index_scope(scope: str, number: int) -> str:
    """The scope of the key of one of a field's indexes."""
    return f"{scope}/{number}"
