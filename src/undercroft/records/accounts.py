"""What an auth record may become, and by whom.

`prepare_account` judges a create or an update of an account before the fields
are validated: errors it returns are answered alone. Hashing the new password is
left to the write path, which does it for every password field.

The other functions look at the database. They take an open transaction's `run`,
so that what they saw is still true when the write happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.casts import as_text
from undercroft.database.dialect import Dialect
from undercroft.errors import REQUIRED, BadRequest, FieldError
from undercroft.ids import random_text
from undercroft.passwords import Verdict
from undercroft.records.record import Run

TOKEN_KEY_LENGTH: Final = 50
MISMATCH: Final = FieldError("validation_values_mismatch", "Values don't match.")
WRONG_OLD_PASSWORD: Final = FieldError("validation_invalid_old_password", "Missing or invalid old password.")
TAKEN_ID: Final = FieldError("validation_invalid_auth_id", "Invalid or duplicated auth record id.")


class LastSuperuser(BadRequest):
    """Without a superuser nobody could manage the server."""

    code = "last_superuser"
    default = "You can't delete the only existing superuser."


class Passwords(Protocol):
    """What checks the old password; `auth.passwords.PasswordPool` is one."""

    async def verify(self, text: str, stored: str) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class AccountWrite:
    """A submitted create (`before` is None) or update of an auth record.

    `submitted` has the cast values of the fields that were sent, `body` the body as
    it came. `is_manager` is true for superusers and whoever the manage rule matches.
    """

    collection: Collection
    before: Mapping[str, Any] | None
    submitted: Mapping[str, Any]
    body: Mapping[str, Any]
    is_manager: bool = False
    is_superuser: bool = False

    @property
    def password(self) -> str:
        return as_text(self.submitted.get("password"))

    @property
    def password_confirm(self) -> str:
        return as_text(self.body.get("passwordConfirm"))

    @property
    def old_password(self) -> str:
        return as_text(self.body.get("oldPassword"))


Errors = dict[str, FieldError]


async def prepare_account(write: AccountWrite, passwords: Passwords) -> tuple[dict[str, Any], Errors]:
    """The fields to write, in place of the submitted ones, and why the account is refused.

    The password, when there is one among them, is still plain text.
    """
    errors = _check_standing(write) | _check_new_password(write)
    if needs_old_password(write):
        errors |= await _check_old_password(write, passwords)
    return _changes(write), errors


def needs_old_password(write: AccountWrite) -> bool:
    """Whether the caller must prove to know the present password."""
    changes_password = bool(write.password or write.password_confirm)
    return write.before is not None and not write.is_manager and changes_password


async def find_taken_id(run: Run, dialect: Dialect, catalog: Catalog, collection: Collection, record_id: str) -> Errors:
    """An error when an account of another collection has that id: ids name one account everywhere."""
    others = [other for other in catalog if other.is_auth and other.id != collection.id]
    tests = [
        f"SELECT 1 FROM {dialect.quote(other.name)} WHERE {dialect.quote('id')} = {dialect.placeholder(n)}"
        for n, other in enumerate(others, 1)
    ]
    taken = bool(tests) and bool(await run(" UNION ALL ".join(tests), [record_id] * len(tests)))
    return {"id": TAKEN_ID} if taken else {}


async def keep_a_superuser(run: Run, dialect: Dialect, collection: Collection, record_id: str) -> None:
    """Raise `LastSuperuser` when deleting that record would leave no superuser."""
    if not collection.is_superusers:
        return
    table, test = dialect.quote(collection.name), f"{dialect.quote('id')} <> {dialect.placeholder(1)}"
    if not await run(f"SELECT 1 FROM {table} WHERE {test} LIMIT 1", [record_id]):
        raise LastSuperuser


def _check_standing(write: AccountWrite) -> Errors:
    """Only a manager says who is verified, or moves an account to another address."""
    if write.is_manager:
        return {}
    stands = write.before or {"verified": False}
    guarded = [name for name in ("email", "verified") if name in stands]
    return {name: MISMATCH for name in guarded if write.submitted.get(name, stands[name]) != stands[name]}


def _check_new_password(write: AccountWrite) -> Errors:
    given = (write.password, write.password_confirm, write.old_password)
    if write.before is not None and not any(given):
        return {}
    errors: Errors = {}
    if not write.password:
        errors["password"] = REQUIRED
    if not write.password_confirm:
        errors["passwordConfirm"] = REQUIRED
    elif write.password_confirm != write.password:
        errors["passwordConfirm"] = MISMATCH
    return errors


async def _check_old_password(write: AccountWrite, passwords: Passwords) -> Errors:
    if not write.old_password:
        return {"oldPassword": REQUIRED}
    stored = as_text((write.before or {}).get("password"))
    verdict = await passwords.verify(write.old_password, stored)
    return {} if verdict.ok else {"oldPassword": WRONG_OLD_PASSWORD}


def _changes(write: AccountWrite) -> dict[str, Any]:
    changes = dict(write.submitted)
    if not write.is_superuser:
        changes.pop("tokenKey", None)
    if write.collection.is_superusers:
        changes["verified"] = True
    if _ends_sessions(write) and not _brings_new_key(write, changes):
        changes["tokenKey"] = new_token_key()
    return changes


def _brings_new_key(write: AccountWrite, changes: Mapping[str, Any]) -> bool:
    present = write.before["tokenKey"] if write.before else ""
    return changes.get("tokenKey", present) not in ("", present)


def _ends_sessions(write: AccountWrite) -> bool:
    """Whether the write makes every token of the account worthless."""
    if write.before is None:
        return True
    email: str = write.before["email"]
    return bool(write.password) or write.submitted.get("email", email) != email


def new_token_key() -> str:
    """A record's part of the key that signs its tokens."""
    return random_text(TOKEN_KEY_LENGTH)
