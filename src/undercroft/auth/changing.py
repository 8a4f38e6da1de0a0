"""Changing an account as the server itself does it: for who has proven by a letter who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Transaction
from undercroft.ids import random_text
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.host import Work
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.saving import Operation, involved, transact
from undercroft.records.unit import Unit
from undercroft.records.write import Writer

T = TypeVar("T")
_LENGTH: Final = 30
_LONGEST: Final = 71
_ATTEMPTS: Final = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an account with its slow parts done, to be applied inside a transaction."""

    backend: WithRecords
    account: Identity
    prepared: Prepared

    async def write(self, operation: Operation[T]) -> T:
        """Run an operation in which the change is applied, with the hooks that have to do with it."""
        work = Work(self.backend)
        return await transact(work, involved(work, ("update", self.account.collection)), operation)

    async def apply(self, tx: Transaction, unit: Unit | None, half: str = "") -> Draft:
        """Write it; a `half` of a log-in that goes on stays.

        Raises `NotFound`, `Invalid`, and `ChangedMeanwhile` when somebody else was faster.
        """
        writer = Writer(Access.of_system(self.backend).through(tx.run), tx, unit, half)
        return await writer.update(self.account.collection, self.account.id, self.prepared)


async def prepare_change(backend: WithRecords, account: Identity, values: Mapping[str, Any]) -> Change:
    """Get a change ready: a new password is hashed now, for a transaction waits for nothing."""
    desk = Desk(Access.of_system(backend), backend.passwords)
    return Change(backend, account, await prepare_write(desk, account.collection, account.id, values, {}))


def new_password(text: str) -> dict[str, str]:
    """The values that change a password."""
    return {"password": text, "passwordConfirm": text}


def nobodys_password(collection: Collection, record: Mapping[str, Any]) -> dict[str, str]:
    """The values that put in place of a record's password one that nobody knows, such as the collection wants it."""
    field = collection.by_name["password"]
    if not isinstance(field, PasswordField):
        return new_password(random_text(_LENGTH))
    length = min(max(_LENGTH, field.min), field.max or _LONGEST)
    # Chance may put a short name of somebody into it, which a policy may refuse.
    made = (random_text(length) for _ in range(_ATTEMPTS))
    return new_password(next(text for text in made if field.check_personal(text, record) is None))
