"""Keys of people and tenants in this process: those that were needed lately, and no longer than they are to be.

There can be very many of them, so they are read when they are needed, all that a page of records takes in one
statement, and those that nobody asked for lately are let go of. A key that was erased is held as such: that its
values are empty is known, and not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from undercroft.database.engine import Value
from undercroft.encryption.keyset import KeySet
from undercroft.encryption.subjects import SubjectKey
from undercroft.encryption.wrapping import RootKey
from undercroft.errors import BadRequest
from undercroft.keys.rows import StoredKey, open_sets

MOST: Final = 10_000
"""How many keys are held."""


class SubjectErased(BadRequest):
    """Values are to be sealed for somebody whose key was erased, which is for ever."""

    code = "subject_erased"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"{scope.partition('/')[2]!r} was erased: nothing is encrypted for that name again. Use another one."
        )
        self.scope = scope


class SubjectKeys:
    """What a process holds of them."""

    def __init__(self) -> None:
        self._sets: dict[str, KeySet] = {}
        self._keys: dict[int, SubjectKey] = {}
        self._opened: dict[str, dict[tuple[bytes, str], Value]] = {}

    def opened(self, scope: str) -> dict[tuple[bytes, str], Value]:
        """Values of a field, by scope, that were opened with keys from here: gone with all of these, when one goes."""
        return self._opened.setdefault(scope, {})

    def key_set(self, scope: str) -> KeySet | None:
        """The keys of somebody, if they are here."""
        return self._sets.get(scope)

    def key(self, key_id: int) -> SubjectKey | None:
        """A key, if it is here."""
        return self._keys.get(key_id)

    def missing(self, key_ids: Iterable[int]) -> list[int]:
        """Those of these keys that are not here; the others were needed just now."""
        lost: list[int] = []
        for key_id in dict.fromkeys(key_ids):
            known = self._keys.pop(key_id, None)
            if known is None:
                lost.append(key_id)
            else:
                self._keys[key_id] = known
        return lost

    def take_keys(self, stored: Sequence[StoredKey], root: RootKey, needed: int = 0) -> None:
        """Hold these keys; so many are `needed` at once. Raises `WrongRootKey` and `DecryptionFailed`."""
        for each in stored:
            self._keys[each.name.key_id] = SubjectKey(each.open(root))
        self._let_go(max(MOST, needed))

    def take_sets(self, stored: Sequence[StoredKey], root: RootKey) -> bool:
        """Hold these sets, of which all keys are given; whether there are any. Raises what `take_keys` raises."""
        found = list(open_sets(stored, root))
        for keys in found:
            self.add(keys)
        return bool(found)

    def add(self, keys: KeySet) -> None:
        """Hold a set."""
        self._sets[keys.scope] = keys
        for key in keys.keys:
            self._keys[key.id] = SubjectKey(key)
        self._let_go(MOST)

    def _let_go(self, most: int) -> None:
        for key_id in list(islice(self._keys, max(0, len(self._keys) - most))):
            del self._keys[key_id]
        for scope in list(islice(self._sets, max(0, len(self._sets) - most))):
            del self._sets[scope]
