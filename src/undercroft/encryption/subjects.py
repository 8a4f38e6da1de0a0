"""The keys of people and tenants: each seals values of one of them, in whichever field, and is erased with them."""

from __future__ import annotations

from undercroft.encryption.failures import KeyDisabled
from undercroft.encryption.keyset import Key, KeySet
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.values import FieldCipher


class SubjectKey:
    """A key of one subject, and what was prepared with it, which is gone with it."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self._ciphers: dict[FieldPlace, FieldCipher] = {}

    def __repr__(self) -> str:
        return f"<SubjectKey {self.key.id}, {self.key.state}>"

    @property
    def is_erased(self) -> bool:
        """Whether nothing opens that it sealed, and nobody is to ask for it."""
        return self.key.state == "destroyed"

    def cipher(self, place: FieldPlace) -> FieldCipher:
        """What seals and opens values of a field. Raises `KeyDisabled`."""
        if not self.key.opens:
            raise KeyDisabled(self.key.id)
        found = self._ciphers.get(place)
        if found is None:
            found = self._ciphers[place] = self._prepare(place)
        return found

    def _prepare(self, place: FieldPlace) -> FieldCipher:
        for known in self._ciphers.values():
            return known.at(place)
        return FieldCipher(KeySet("subject", "", (self.key,), self.key.id), place)
