"""The key ring: the keys of this process, opened and in memory, where nothing need be awaited for one.

The database has them wrapped, and the change log tells when they changed: so each
process reads them anew then, as it does with collections and settings. A process that
meets a key, or a set of them, that it does not know may not have heard yet: it reads
the ring anew once and tries again.

Where the root key is kept elsewhere it can be away. What was opened stays good for a
while; after that the ring is locked, and holds nothing, until the root key is back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.database.positions import Read, load_positions
from undercroft.database.wakeup import Ear
from undercroft.encryption.failures import DecryptionFailed, KeysUnavailable, UnknownKey, WrongRootKey
from undercroft.encryption.keyset import Algorithm, KeySet, Purpose
from undercroft.encryption.subjects import SubjectKey
from undercroft.encryption.texts import TextCipher
from undercroft.encryption.wrapping import RootKey
from undercroft.errors import Unreadable
from undercroft.keys.audit import Entry, Failures
from undercroft.keys.making import make_key_set
from undercroft.keys.root import Root, RootUnavailable, StoredRoot, load_root
from undercroft.keys.rows import load_keys, load_scopes, load_subjects, open_sets
from undercroft.keys.subjects import SubjectKeys

_TRIES: Final = 3
_Name = tuple[str, str]


class StaleKeys(Unreadable):
    """A key or a set of keys is not known here; the ring that is read anew may have it."""

    code = "stale_keys"


class UnknownKeySet(StaleKeys):
    """There is no set of keys for that, as far as is known here."""

    code = "unknown_key_set"

    def __init__(self, purpose: str, scopes: Iterable[str]) -> None:
        self.purpose = purpose
        self.scopes = tuple(scopes)
        super().__init__(f"There are no {purpose} keys for {', '.join(map(repr, self.scopes)) or 'the server'}.")


@dataclass(frozen=True, slots=True)
class Promotion:
    """A key took the place of another one as that which seals."""

    purpose: Purpose
    scope: str
    old_id: int
    new_id: int


OnPromotion = Callable[[Transaction, Promotion], Awaitable[None]]

STALE: Final = (StaleKeys, UnknownKey)
"""What may be otherwise once the ring was read anew."""


class Keyring:
    """The keys of one process. `app_id` is part of what everything sealed is bound to.

    `revision` is the position in the change log of the newest change of keys that is in here;
    `version` grows whenever anything in here changes, and `ear` hears of it. `on_promotion` is done inside of
    the transaction in which a key takes the place of another; whoever composes the program puts it there.
    What the root key has opened is good for `cache_seconds` after it was last confirmed.
    """

    def __init__(self, engine: Engine, root: Root, app_id: str, cache_seconds: float) -> None:
        self.app_id = app_id
        self.cache_seconds = cache_seconds
        self.root = root
        self.revision = -1
        self.version = 0
        self.ear = Ear()
        self.on_promotion: list[OnPromotion] = []
        self.why_locked: KeysUnavailable | None = RootUnavailable()
        self._engine = engine
        self._stored: StoredRoot | None = None
        self._root_key: RootKey | None = None
        self._opened_at = 0.0
        self._sets: dict[_Name, KeySet] = {}
        self._subjects = SubjectKeys()
        self._wanted: set[str] = set()
        self._wanted_ids: set[int] = set()
        self._texts: TextCipher | None = None
        self._uses: Counter[_Name] = Counter()
        self._failures = Failures()
        self._reading = asyncio.Lock()

    def __repr__(self) -> str:
        state = "locked" if self.is_locked else f"{len(self._sets)} sets"
        return f"<Keyring {state}, revision {self.revision}>"

    @property
    def is_locked(self) -> bool:
        """Whether there are no keys here, since the root key cannot be had."""
        return self.why_locked is not None

    @property
    def root_key(self) -> RootKey:
        """What keys are wrapped with. Raises `KeysUnavailable`."""
        if self._root_key is None:
            raise self._unavailable()
        return self._root_key

    @property
    def unconfirmed(self) -> float:
        """For how many seconds nobody has confirmed the root key."""
        return monotonic() - self._opened_at

    def key_set(self, purpose: Purpose, scope: str) -> KeySet:
        """The keys of a purpose within a scope. Raises `UnknownKeySet` and `KeysUnavailable`."""
        found = self._subjects.key_set(scope) if purpose == "subject" else self._sets.get((purpose, scope))
        if found is not None:
            return found
        if self.why_locked is not None:
            raise self._unavailable()
        if purpose == "subject":
            self._wanted.add(scope)
        raise UnknownKeySet(purpose, [scope])

    def has(self, purpose: Purpose, scope: str) -> bool:
        """Whether such keys are here."""
        if purpose == "subject":
            return self._subjects.key_set(scope) is not None
        return (purpose, scope) in self._sets

    def sets(self) -> Sequence[KeySet]:
        """All sets that are here, but for those of people and tenants."""
        return list(self._sets.values())

    async def make(
        self, tx: Transaction, dialect: Dialect, purpose: Purpose, scope: str, algorithm: Algorithm
    ) -> KeySet:
        """A set that can be used once the transaction is durable. Raises `KeysUnavailable`."""
        return await make_key_set(tx, dialect, self, purpose, scope, algorithm=algorithm)

    def add(self, key_set: KeySet) -> None:
        """Take in a set that was just made; one of its name that is here already is as new, and stays."""
        if self.is_locked or self.has(key_set.purpose, key_set.scope):
            return
        if key_set.purpose == "subject":
            self._subjects.add(key_set)
        else:
            self._sets[key_set.purpose, key_set.scope] = key_set
        self._changed()

    def seal_text(self, context: str, text: str) -> str:
        """A secret of a column of ours as printable text that opens in this context alone: `table|column|row`."""
        sealed = self._text_cipher().seal(context, text)
        self.count("system", "")
        return sealed

    def open_text(self, context: str, sealed: str) -> str:
        """The secret. Raises `DecryptionFailed`, `UnknownKey`, `KeyDisabled`, `KeyDestroyed`, `KeysUnavailable`."""
        try:
            return self._text_cipher().open(context, sealed)
        except DecryptionFailed:
            self._failures.note(context)
            raise

    def count(self, purpose: Purpose, scope: str, uses: int = 1) -> None:
        """Note that the primary key of a set has sealed so many messages more; about so many are enough."""
        self._uses[purpose, scope] += uses

    def take_counts(self) -> Counter[_Name]:
        """What was counted since the last time."""
        counts, self._uses = self._uses, Counter()
        return counts

    def note_failure(self, failure: DecryptionFailed) -> None:
        """Have it written down which value or file did not open; the same one once an hour."""
        place = failure.place
        value = f"{place.collection_id}|{place.field_id}|{failure.record_id}" if place is not None else failure.file
        self._failures.note(value)

    def take_failures(self) -> list[Entry]:
        """What was noted since the last time."""
        return self._failures.take()

    async def refresh(self) -> None:
        """Have the keys as the database has them now; reads one row when nothing has changed. Raises `Problem`."""
        if self._root_key is None:
            return
        async with self._reading:
            position = (await load_positions(self._engine.read))["keys"]
            if position != self.revision:
                await self._read_all(position)
            wanted, self._wanted = self._wanted, set()
            await self._read_subjects(wanted)
            key_ids, self._wanted_ids = self._wanted_ids, set()
            if key_ids:
                await self.know_subjects(self._engine.read, key_ids)
                self._changed()

    async def load_subjects(self, scopes: Iterable[str]) -> None:
        """Have the keys of these people or tenants here, those of them that there are. Raises `KeysUnavailable`."""
        if self.why_locked is not None:
            raise self._unavailable()
        async with self._reading:
            await self._read_subjects([scope for scope in scopes if not self.has("subject", scope)])

    def subject_key(self, key_id: int) -> SubjectKey:
        """A key of a person or tenant, by its id. Raises `UnknownKey` and `KeysUnavailable`."""
        found = self._subjects.key(key_id)
        if found is not None:
            return found
        if self.why_locked is not None:
            raise self._unavailable()
        self._wanted_ids.add(key_id)
        raise UnknownKey(key_id)

    def opened(self, scope: str) -> dict[tuple[bytes, str], Value]:
        """Values of a field that were opened with keys of people and tenants; for no longer than these are here."""
        return self._subjects.opened(scope)

    async def know_subjects(self, read: Read, key_ids: Iterable[int]) -> None:
        """Have these keys of people and tenants here, as far as there are any. Raises `KeysUnavailable`."""
        wanted = set(key_ids)
        missing = self._subjects.missing(wanted)
        if missing:
            stored = await load_subjects(read, self._engine.dialect, missing)
            self._subjects.take_keys(stored, self.root_key, needed=len(wanted))

    async def find_subject(self, read: Read, scope: str) -> SubjectKey | None:
        """The key that seals for a person or tenant, as a transaction sees it; None: there is none, or none any more.

        Raises `KeysUnavailable`.
        """
        stored = await load_scopes(read, self._engine.dialect, "subject", [scope])
        found = next(open_sets(stored, self.root_key), None)
        return None if found is None else self._subjects.key(found.primary_id) or SubjectKey(found.primary)

    async def hold_subject(self, tx: Transaction, dialect: Dialect, scope: str) -> SubjectKey:
        """The key that seals for a person or tenant, made if there is none.

        It is asked for in the transaction that seals, so nobody seals with a key that was erased.
        Raises `SubjectErased` and `KeysUnavailable`.
        """
        keys = await make_key_set(tx, dialect, self, "subject", scope)
        return self._subjects.key(keys.primary_id) or SubjectKey(keys.primary)

    async def unlock(self, stored: StoredRoot | None = None, key: RootKey | None = None) -> None:
        """Ask for the root key, unless it is given, and read all keys with it.

        Raises `WrongRoot`, `RootMissing`, `BadRoot` and `RootUnavailable`.
        """
        found = stored or await load_root(self._engine.read)
        if found is None:
            raise RootUnavailable
        root_key = key or await self.root.unlock(found)
        async with self._reading:
            self._stored, self._root_key, self._opened_at = found, root_key, monotonic()
            await self._read_all((await load_positions(self._engine.read))["keys"])
            self.why_locked = None
            self._changed()

    async def confirm(self) -> None:
        """Ask for the root key again, to go on using what it has opened. Raises what `unlock` does."""
        if self._stored is None or self._root_key is None:
            await self.unlock()
            return
        await self.root.unlock(self._stored)
        self._opened_at = monotonic()

    def lock(self, reason: KeysUnavailable) -> None:
        """Let go of all keys until the ring is unlocked."""
        self.why_locked = reason
        self._root_key = self._texts = None
        self._sets, self._subjects, self.revision = {}, SubjectKeys(), -1
        self._changed()

    async def _read_all(self, position: int) -> None:
        for attempt in range(_TRIES):
            try:
                fresh = await self._open_all()
                break
            except WrongRootKey:
                # Another process is changing the root key, and its rows are read one statement after the other.
                if attempt == _TRIES - 1:
                    raise
        # What has not changed stays the same object, and with it what was prepared for it.
        self._sets = {name: self._same(name, keys) for name, keys in fresh.items()}
        self._subjects = SubjectKeys()
        self._texts = None
        self.revision = position
        self._changed()

    async def _open_all(self) -> dict[_Name, KeySet]:
        stored = await load_root(self._engine.read)
        if stored is not None and stored != self._stored:
            self._root_key, self._stored = await self.root.unlock(stored), stored
            self._opened_at = monotonic()
        opened = open_sets(await load_keys(self._engine.read), self.root_key)
        return {(keys.purpose, keys.scope): keys for keys in opened}

    def _same(self, name: _Name, fresh: KeySet) -> KeySet:
        held = self._sets.get(name)
        return held if held is not None and held == fresh else fresh

    async def _read_subjects(self, scopes: Iterable[str]) -> None:
        wanted = list(scopes)
        if not wanted:
            return
        stored = await load_scopes(self._engine.read, self._engine.dialect, "subject", wanted)
        if self._subjects.take_sets(stored, self.root_key):
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.ear.wake()

    def _text_cipher(self) -> TextCipher:
        keys = self.key_set("system", "")
        cipher = self._texts
        if cipher is None or cipher.keys is not keys:
            cipher = self._texts = TextCipher(keys, self.app_id)
        return cipher

    def _unavailable(self) -> KeysUnavailable:
        # Why is for the log: it names what only those who run the server should know.
        return KeysUnavailable(retry_after=(self.why_locked or RootUnavailable()).retry_after)
