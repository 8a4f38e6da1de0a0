"""The fourth step: which account somebody is, and what becomes of it.

| somebody at a provider | and here there is | becomes |
|---|---|---|
| is linked | the linked account | that one |
| is not | whoever asks, signed in | that one, linked from now on |
| has an address that is proven theirs | an account with it that is verified | that one, linked from now on |
| the same | an account with it that is not | that one, when all who had a way into it have lost it |
| anything else | nothing | a new account, if the collection lets people make one |

An address that is not proven says nothing: neither that of a provider nor that of an account.
Whoever had made an account with an address that is not theirs has no way into it once its
owner has come: its password, tokens, sessions, passkeys and links are worth nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from undercroft.auth.letters_asked_for import WithLetters, find_by_email
from undercroft.auth.notices import tell_of_change
from undercroft.auth.oauth2.links import OvertakenError, drop_links, find_link, keep_link
from undercroft.auth.oauth2.person import Person
from undercroft.auth.proven_address import prove_owner
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.collections.fields.email import is_email
from undercroft.database.engine import Transaction
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity
from undercroft.records.unit import Unit


@dataclass(frozen=True, slots=True)
class Comer:
    """Somebody who comes from a provider into a collection; `caller` is who they are signed in as."""

    collection: Collection
    provider: str
    person: Person
    caller: Identity | None


@dataclass(frozen=True, slots=True)
class Found:
    """The account that somebody is, if there is one, and the link to them, if there is one.

    It is `theirs` when they have shown so themselves: by the link, or by being signed in.
    """

    account: Identity | None
    link: Mapping[str, Any] | None
    is_theirs: bool


async def find_account(backend: WithRecords, comer: Comer) -> Found:
    """Which account somebody is."""
    engine, collection, person = backend.engine, comer.collection, comer.person
    link = await find_link(engine.read, backend, collection, comer.provider, person.id)
    if link is not None:
        linked = await find_identity(engine.read, engine.dialect, collection, {"id": link["recordRef"]})
        if linked is not None:
            return Found(linked, link, is_theirs=True)
    if comer.caller is not None and comer.caller.collection.id == collection.id:
        return Found(comer.caller, link, is_theirs=True)
    email = person.proven_email
    account = await find_by_email(backend, collection, email) if is_email(email) else None
    return Found(account, link, is_theirs=False)


async def welcome(backend: WithLetters, comer: Comer, account: Identity, found: Found) -> Identity:
    """Let somebody be an account from now on, as it is afterwards.

    Raises `OvertakenError`, `LinkRefused`, `Invalid` and `ChangedMeanwhile`.
    """
    shuts_out = not (account.record["verified"] or found.is_theirs)
    proof = await prove_owner(backend, account, await _changes(backend, comer, account), shuts_out=shuts_out)
    has_link = found.link is not None and found.link["recordRef"] == account.id
    if has_link and proof.change is None:
        return account
    is_alone = not account.record["verified"] and not has_link

    async def put(tx: Transaction, unit: Unit | None) -> Identity:
        await _stay_ahead(tx, backend, comer, found)
        if is_alone:
            await drop_links(backend, tx, account)
        after = await proof.apply(tx, unit)
        is_kept = found.link is not None and not (has_link and _was_proven(account, after))
        if not is_kept:
            await keep_link(backend, tx, after, comer.provider, comer.person.id)
        if comer.caller is not None and not has_link:
            await tell_of_change(backend, tx, after, f"It was linked to {comer.provider}, which opens it from now on.")
        return after

    return await proof.write(put)


async def _changes(backend: WithRecords, comer: Comer, account: Identity) -> dict[str, Any]:
    """What is to be changed about an account that is there."""
    record, email = account.record, comer.person.proven_email
    values: dict[str, Any] = {}
    if not record["email"] and is_email(email) and await find_by_email(backend, account.collection, email) is None:
        values["email"] = email
    if not record["verified"] and values.get("email", record["email"]) == email:
        values["verified"] = True
    return values


async def _stay_ahead(tx: Transaction, backend: WithRecords, comer: Comer, found: Found) -> None:
    link = await find_link(tx.run, backend, comer.collection, comer.provider, comer.person.id)
    if (link and link["id"]) != (found.link and found.link["id"]):
        raise OvertakenError


def _was_proven(before: Identity, after: Identity) -> bool:
    """Whether the account has just become verified, with which its links went."""
    return bool(after.record["verified"]) and not before.record["verified"]
