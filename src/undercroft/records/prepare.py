"""What must be done before a write's transaction opens: hashing, and saying where files will be.

Neither can wait until then: hashing is slow, and files are in the store before the record
that names them. What is found out here is carried into the transaction, which judges:
errors are raised there, after the rule was asked, so that who may not write learns
nothing from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.errors import FieldError
from undercroft.files.keys import file_key, is_safe_part
from undercroft.http.upload import Upload
from undercroft.query.grant import NotWithKey
from undercroft.records.access import Access
from undercroft.records.accounts import AccountWrite, Passwords, prepare_account
from undercroft.records.attachments import Placed, name_files, wanted_files
from undercroft.records.draft import Draft, Submission, field_name, make_draft
from undercroft.records.read import guard
from undercroft.records.record import find_record
from undercroft.records.rules import draft_satisfies, satisfies

CREDENTIALS: Final = frozenset({"email", "password", "passwordConfirm", "oldPassword", "tokenKey"})
"""What of an account says how it is reached."""


class Hasher(Passwords, Protocol):
    """What hashes passwords and judges new ones; `auth.passwords.PasswordPool` is one."""

    async def hash(self, text: str) -> str: ...
    async def judge(self, draft: Draft, field: PasswordField) -> FieldError | None: ...


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
    """A submission with its slow parts done; with `was_missing` they were not, for want of the record.

    Passwords that are too easy to guess for their fields are `refused`, and have no hash.
    `placed` are the files to put into the store, which `records.filing` holds there while
    the record is written. With them comes the `new_id` of a record that is given one.
    """

    submission: Submission
    hashes: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, FieldError] = field(default_factory=dict)
    account: Account | None = None
    was_missing: bool = False
    new_id: str = ""
    placed: Sequence[Placed] = ()

    @property
    def uploads(self) -> list[Upload]:
        """All files that came, whatever became of them."""
        return [file.upload for files in self.submission.files.values() for file in files]


@dataclass(frozen=True, slots=True)
class Desk:
    """What preparing needs: a way to read, and a hasher."""

    access: Access
    hasher: Hasher


async def prepare_write(
    desk: Desk,
    collection: Collection,
    record_id: str | None,
    body: Mapping[str, Any],
    uploads: Mapping[str, Sequence[Upload]],
) -> Prepared:
    """Prepare a create (`record_id` None) or an update; `uploads` are by key (`docs`, `docs+`, `+docs`).

    Raises `NotWithKey` when an API key would change how an account is reached.
    """
    identity = desk.access.scope.identity
    if identity is not None and identity.grant is not None and collection.is_auth and record_id is not None:
        _keep_credentials(body)
    prepared = await _prepare(desk, collection, record_id, Submission(body, name_files(collection, uploads)))
    return _place(collection, record_id, prepared) if uploads else prepared


def _keep_credentials(body: Mapping[str, Any]) -> None:
    if not CREDENTIALS.isdisjoint(map(field_name, body)):
        raise NotWithKey


def vouch(prepared: Prepared, values: Mapping[str, Any]) -> Prepared:
    """The same write of an account with values that the server stands for: no rule and no caller sees them."""
    account = prepared.account
    if account is None or not values:
        return prepared
    return replace(prepared, account=replace(account, changes={**account.changes, **values}))


async def _prepare(desk: Desk, collection: Collection, record_id: str | None, submission: Submission) -> Prepared:
    if not collection.has_passwords:
        return Prepared(submission)
    before = await _before(desk.access, collection, record_id)
    if record_id is not None and before is None:
        return Prepared(submission, was_missing=True)
    draft = make_draft(collection, before, submission, is_superuser=desk.access.scope.is_superuser)
    if before is not None and not CREDENTIALS.isdisjoint(map(field_name, submission.body)):
        rule = guard("update", collection, desk.access.scope)
        if rule is not None and not await may_update(desk.access, draft, rule):
            return Prepared(submission, was_missing=True)  # to who may not change it: no password of it is tried
    account = await _judge(desk, draft, submission.body) if collection.is_auth else None
    if account and account.errors:
        return Prepared(submission, account=account)
    hashes, refused = await _hash(desk.hasher, draft)
    return Prepared(submission, hashes, refused, account)


def _place(collection: Collection, record_id: str | None, prepared: Prepared) -> Prepared:
    """Say where the files will be: with their record, whose id must be known for that."""
    if record_id is None:
        prepared = _with_id(collection, prepared)
        record_id = prepared.new_id
    if not is_safe_part(record_id):
        return prepared  # there is no such record, nor will there be
    known = wanted_files(collection)
    placed = [
        Placed(file_key(collection.id, record_id, file.name), file, file.upload.path, known[key].is_encrypted)
        for key, files in prepared.submission.files.items()
        if key in known
        for file in files
        if file.upload.path is not None
    ]
    return replace(prepared, placed=placed)


def _with_id(collection: Collection, prepared: Prepared) -> Prepared:
    """A create with the id that its record will have; it has none when that would be refused."""
    submission, field = prepared.submission, collection.by_name["id"]
    given = make_draft(collection, None, submission, is_superuser=True).values["id"]
    if given and submission.body.get("id") != given:
        # Made from a pattern just now, and another time it would be another.
        body = {key: value for key, value in submission.body.items() if field_name(key) != "id"}
        submission = Submission(body | {"id": given}, submission.files)
    new_id = given or (field.generate() if isinstance(field, TextField) else "")
    return replace(prepared, submission=submission, new_id="" if field.check(new_id) else new_id)


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
        is_manager=await is_manager(access, draft),
        is_superuser=access.scope.is_superuser,
    )
    wanted, errors = await prepare_account(write, desk.hasher)
    # What was sent is worked out anew inside, where `points+` adds to what is stored by then.
    changes = {name: value for name, value in wanted.items() if name not in submitted or value != submitted[name]}
    return Account(changes, frozenset(submitted.keys() - wanted.keys()), errors, draft.before)


async def may_update(access: Access, draft: Draft, rule: str) -> bool:
    """Whether the update rule lets the caller make a draft of what is stored."""
    asking = access.asking(scope_with_body(access, draft))
    return await satisfies(asking, draft.collection, rule, (draft.before or {})["id"])


async def is_manager(access: Access, draft: Draft) -> bool:
    """Whether the caller may manage the account that a draft is of."""
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


async def _hash(hasher: Hasher, draft: Draft) -> tuple[dict[str, str], dict[str, FieldError]]:
    """Hashes of the passwords that can be stored, and why others are refused, both by field."""
    hashes: dict[str, str] = {}
    refused: dict[str, FieldError] = {}
    for candidate in draft.collection.fields:
        if not isinstance(candidate, PasswordField) or candidate.name not in draft.changed:
            continue
        plain = draft.values[candidate.name]
        if not plain or candidate.check_plain(plain) is not None:
            continue
        if error := await hasher.judge(draft, candidate):
            refused[candidate.name] = error
        else:
            hashes[candidate.name] = await hasher.hash(plain)
    return hashes, refused


def scope_with_body(access: Access, draft: Draft) -> Any:
    """The caller's scope with what was submitted, as rules see it."""
    scope = access.scope
    return type(scope)(scope.identity, scope.context, scope.method, scope.query, scope.headers, draft.rule_body)
