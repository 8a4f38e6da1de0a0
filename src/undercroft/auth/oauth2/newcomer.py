"""A new account for somebody whom a provider knows and nobody here does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undercroft.auth.changing import nobodys_password
from undercroft.auth.oauth2.accounts import Comer
from undercroft.auth.oauth2.links import OvertakenError, find_link, keep_link
from undercroft.auth.password import Credentials, find_account
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.text import TextField
from undercroft.collections.options import MappedFields
from undercroft.database.engine import Transaction
from undercroft.errors import Invalid
from undercroft.http.upload import Upload
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.host import Work
from undercroft.records.saving import Saving, save_record


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new account is to be made of: what was submitted for it, and a picture if there is one."""

    submitted: Mapping[str, Any]
    avatar: Upload | None = None


async def create_account(backend: WithRecords, work: Work, access: Access, comer: Comer, wanted: Wanted) -> Identity:
    """A new account, under the create rule of the collection, linked from the start.

    Raises `OvertakenError`, and what any create is refused with.
    """
    collection, person = comer.collection, comer.person
    data = await _data(backend, comer, wanted)
    files = _files(mapped_fields(collection), wanted)

    async def link(tx: Transaction, draft: Draft) -> None:
        await keep_link(backend, tx, Identity(collection, draft.values), comer.provider, person.id)

    is_proven = data["email"] == person.proven_email
    vouched = {"verified": True} if is_proven else {}
    saving = Saving(collection, None, data, files, also=link, vouched=vouched)
    try:
        draft = await save_record(work, access, saving)
    except Invalid:
        if await find_link(backend.engine.read, backend, collection, comer.provider, person.id) is not None:
            raise OvertakenError from None
        raise
    return Identity(collection, draft.values)


def mapped_fields(collection: Collection) -> MappedFields:
    """Which fields are filled from what a provider knows."""
    return collection.auth.oauth2.mapped_fields if collection.auth else MappedFields()


def avatar_field(collection: Collection, submitted: Mapping[str, Any]) -> FileField | None:
    """The field that takes a picture, unless something was submitted for it."""
    name = mapped_fields(collection).avatar_url
    field = collection.by_name.get(name)
    return field if isinstance(field, FileField) and name not in submitted else None


async def _data(backend: WithRecords, comer: Comer, wanted: Wanted) -> dict[str, Any]:
    """What is submitted for the account, over which goes who the provider says it is."""
    person, mapped, given = comer.person, mapped_fields(comer.collection), dict(wanted.submitted)
    known = {mapped.id: person.id, mapped.name: person.name}
    if await _may_be_called(backend, comer.collection, mapped.username, person.username):
        known[mapped.username] = person.username
    if not isinstance(comer.collection.by_name.get(mapped.avatar_url), FileField) and person.avatar_url:
        known[mapped.avatar_url] = person.avatar_url
    data = {name: value for name, value in known.items() if name} | given
    data["email"] = person.proven_email or given.get("email") or person.email
    return data if data.get("password") else data | nobodys_password(comer.collection, data)


async def _may_be_called(backend: WithRecords, collection: Collection, name: str, username: str) -> bool:
    """Whether a name fits the field for it, and nobody has it who must be the only one."""
    field = collection.by_name.get(name)
    if not isinstance(field, TextField) or not username or field.check(username) is not None:
        return False
    if name not in collection.uniquely_indexed:
        return True
    return await find_account(backend, collection, Credentials(username, "", name)) is None


def _files(mapped: MappedFields, wanted: Wanted) -> Mapping[str, Sequence[Upload]]:
    return {mapped.avatar_url: [wanted.avatar]} if wanted.avatar is not None else {}
