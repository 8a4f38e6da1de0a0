"""What must be done before a write's transaction opens: hashing, and staging files.

Both are slow, and a transaction waits for nothing. What is found out here is
carried into the transaction, which judges: errors are raised there, after the
rule was asked, so that who may not write learns nothing from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.errors import FieldError
from undercroft.files.intake import LocalIntake
from undercroft.http.upload import Upload
from undercroft.records.access import Access
from undercroft.records.accounts import AccountWrite, Passwords, prepare_account
from undercroft.records.attachments import NewFile
from undercroft.records.draft import Draft, Submission, make_draft
from undercroft.records.record import find_record
from undercroft.records.rules import draft_satisfies, satisfies


class Hasher(Passwords, Protocol):
    """What hashes passwords; `auth.passwords.PasswordPool` is one."""

    async def hash(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Account:
    """What becomes of a submitted account: values put in place of those sent, names not to be changed.

    `before` is the record it was judged by, None for a new one.
    """

    changes: Mapping[str, Any]
    dropped: frozenset[str]
    errors: Mapping[str, FieldError]
    before: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission with its slow parts done; with `was_missing` they were not, for want of the record."""

    submission: Submission
    hashes: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    was_missing: bool = False

    @property
    def staged(self) -> Iterable[NewFile]:
        """All files in staging."""
        return [file for files in self.submission.files.values() for file in files]


@dataclass(frozen=True, slots=True)
class Desk:
    """What preparing needs: a way to read, a hasher, and the file store."""

    access: Access
    hasher: Hasher
    files: LocalIntake


async def prepare_write(
    desk: Desk,
    collection: Collection,
    record_id: str | None,
    body: Mapping[str, Any],
    uploads: Mapping[str, Sequence[Upload]],
) -> Prepared:
    """Prepare a create (`record_id` None) or an update."""
    submission = Submission(body, await _stage(desk, uploads) if uploads else {})
    if not collection.has_passwords:
        return Prepared(submission)
    before = await _before(desk.access, collection, record_id)
    if record_id is not None and before is None:
        return Prepared(submission, was_missing=True)
    draft = make_draft(collection, before, submission, is_superuser=desk.access.scope.is_superuser)
    account = await _judge(desk, draft, body) if collection.is_auth else None
    hashes = {} if account and account.errors else await _hash(desk.hasher, draft)
    return Prepared(submission, hashes, account)


async def _stage(desk: Desk, uploads: Mapping[str, Sequence[Upload]]) -> dict[str, list[NewFile]]:
    staged: dict[str, list[NewFile]] = {}
    for key, some in uploads.items():
        for upload in some:
            name, mime, path = await asyncio.to_thread(desk.files.stage, upload.filename, upload.file)
            staged.setdefault(key, []).append(NewFile(name, upload.filename, upload.size, mime, path))
    return staged


async def _before(access: Access, collection: Collection, record_id: str | None) -> Mapping[str, Any] | None:
    if record_id is None:
        return None
    return await find_record(access.run, access.dialect, collection, {"id": record_id})


async def _judge(desk: Desk, draft: Draft, body: Mapping[str, Any]) -> Account:
    access = desk.access.asking(scope_with_body(desk.access, draft))
    submitted = {name: draft.values[name] for name in draft.changed}
    write = AccountWrite(
        collection=draft.collection,
        before=draft.before,
        submitted=submitted,
        body=body,
        is_manager=await _is_manager(access, draft),
        is_superuser=access.scope.is_superuser,
    )
    wanted, errors = await prepare_account(write, desk.hasher)
    # What was sent is worked out anew inside, where `points+` adds to what is stored by then.
    changes = {name: value for name, value in wanted.items() if name not in submitted or value != submitted[name]}
    return Account(changes, frozenset(submitted.keys() - wanted.keys()), errors, draft.before)


async def _is_manager(access: Access, draft: Draft) -> bool:
    if access.scope.is_superuser:
        return True
    auth = draft.collection.auth
    rule = auth.manage_rule if auth else None
    if not rule:
        return False
    if draft.before is None:
        # As for the create rule: nobody becomes a manager by calling themselves verified.
        return await draft_satisfies(access, draft.collection, rule, draft.columns() | {"verified": 0})
    return await satisfies(access, draft.collection, rule, draft.before["id"])


async def _hash(hasher: Hasher, draft: Draft) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for candidate in draft.collection.fields:
        if not isinstance(candidate, PasswordField) or candidate.name not in draft.changed:
            continue
        plain = draft.values[candidate.name]
        if plain and candidate.check_plain(plain) is None:
            hashes[candidate.name] = await hasher.hash(plain)
    return hashes


def scope_with_body(access: Access, draft: Draft) -> Any:
    """The caller's scope with what was submitted, as rules see it."""
    scope = access.scope
    return type(scope)(scope.identity, scope.context, scope.method, scope.query, scope.headers, draft.rule_body)
