"""Making a set of keys, inside of the transaction that needs it."""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.positions import hold_position
from undercroft.encryption.keyset import ALGORITHM_OF, Algorithm, KeySet, Purpose
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.wrapping import RootKey
from undercroft.keys.audit import SERVER, Entry, append_entry
from undercroft.keys.erasures import refuse_erased
from undercroft.keys.rows import insert_key, load_scopes, load_subjects, open_sets

KIND: Final = "keys"
"""What changes of keys are called in the change log."""


class Ring(Protocol):
    """What takes in a set once it is durable, and has what it is wrapped with: `keys.ring.Keyring`."""

    @property
    def root_key(self) -> RootKey: ...

    def add(self, key_set: KeySet) -> None: ...


async def make_key_set(
    tx: Transaction,
    dialect: Dialect,
    keyring: Ring,
    purpose: Purpose,
    scope: str,
    *,
    algorithm: Algorithm | None = None,
    actor: str = SERVER,
) -> KeySet:
    """The set of keys of a purpose within a scope, made if it is not there; the ring has it after the commit.

    It seals at once, since nobody can have an older one without its key. Raises `KeysUnavailable`, `SubjectErased`.
    """
    root = keyring.root_key
    if purpose != "subject":
        # A set of a subject is looked for when it is needed, so nobody is told of it and nobody need wait.
        await hold_position(tx, dialect, KIND)
    stored = await load_scopes(tx.run, dialect, purpose, [scope])
    for found in open_sets(stored, root):
        tx.after_commit(partial(keyring.add, found))
        return found
    chosen = algorithm or ALGORITHM_OF[purpose]
    made = new_set(purpose, scope, chosen)
    if purpose == "subject":
        await refuse_erased(tx, dialect, scope)
        while await load_subjects(tx.run, dialect, [made.primary_id]):
            made = new_set(purpose, scope, chosen)
    await insert_key(tx, dialect, made, made.primary, root)
    if purpose != "subject":
        await append_change(tx, dialect, Change(KIND, "", "", "create"))
        await append_entry(tx, dialect, Entry("key_created", purpose, scope, made.primary_id, actor))
    tx.after_commit(partial(keyring.add, made))
    return made
