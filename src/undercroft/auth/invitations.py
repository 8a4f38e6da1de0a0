"""Invitations: an account that is ready, but for who it is for to come and choose a password.

What the account will be, only whoever may manage such accounts can say, and they are asked
again when it is accepted: an invitation is worth what its sender may do by then. Accepting it
deletes it, in the transaction that makes the account; of many who come at once one gets in.
Only a hash of what was in the letter is kept, and what the account will be is sealed: it may
hold values of encrypted fields.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from undercroft.auth.accounts import find_auth_collection, is_let_in
from undercroft.auth.blocks import is_blocked
from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import WithLetters, invent
from undercroft.collections.collection import Collection
from undercroft.collections.options import Invitations
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Texts, Transaction, Value
from undercroft.database.statements import delete_rows, equal, insert_row
from undercroft.errors import BadRequest, Forbidden, NotFound
from undercroft.ids import random_text, record_id
from undercroft.mail.outbox import enqueue
from undercroft.query.scope import GUEST, Identity, Scope
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.host import Work
from undercroft.records.invited import check_offer, may_manage_draft
from undercroft.records.prepare import Desk, prepare_write
from undercroft.records.record import find_identity
from undercroft.records.saving import involved, transact
from undercroft.records.unit import Unit
from undercroft.records.write import Writer

_LENGTH: Final = 43  # characters of 62 kinds: 256 bits
_COLUMNS: Final = '"id", "collection", "email", "offer", "inviter", "created", "expires"'
_AT_ONCE: Final = 1000


class InvitationsOff(Forbidden):
    """Nobody is invited to this collection."""

    code = "invitations_off"
    default = "The collection is not configured to allow invitations."


class MayNotInvite(Forbidden):
    """The caller may not manage an account such as the one that the invitation is for."""

    code = "may_not_invite"
    default = "You are not allowed to invite somebody to such an account."


class InvitationRefused(BadRequest):
    """The invitation was accepted, has expired, was taken back, or never was one."""

    code = "invitation_refused"
    default = "This invitation was used already, or is no longer valid."


class AnswersRefused(BadRequest):
    """What the invited filled in makes an account that the inviter may not manage, so it is none they may make."""

    code = "answers_refused"
    default = "Whoever invited you may not make an account with these values. Change what you filled in."


class Offer(msgspec.Struct, frozen=True):
    """What the account will be: values that are set, and names of fields that the invited fill in."""

    values: dict[str, Any] = {}
    ask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that counts until `expires`. `inviter` is who sent it: `COLLECTION_ID/RECORD_ID`."""

    id: str
    collection: str
    email: str
    offer: Offer
    inviter: str
    created: float
    expires: float


def invitation_options(collection: Collection) -> Invitations:
    """How people are invited to the collection. Raises `InvitationsOff`."""
    if collection.auth is None or not collection.auth.invitations.enabled:
        raise InvitationsOff
    return collection.auth.invitations


async def invite(backend: WithLetters, access: Access, collection: Collection, email: str, offer: Offer) -> Invitation:
    """Invite somebody as the caller of `access`, in place of an earlier invitation.

    Raises `MayNotInvite`, and `Invalid` for an address that has an account, or an offer that no account can be.
    """
    inviter = access.scope.identity
    if inviter is None or not await _may_log_in(access.asking(replace(access.scope, identity=None)), inviter):
        raise MayNotInvite
    if not await may_manage_draft(access, collection, offer.values | {"email": email}):
        raise MayNotInvite
    await check_offer(access, collection, email, offer.values, offer.ask)
    seconds, text, dialect = invitation_options(collection).duration, random_text(_LENGTH), backend.engine.dialect
    moment = time.time()
    made = Invitation(record_id(), collection.id, email, offer, name_of(inviter), moment, moment + seconds)
    letter = write_to(
        invent(collection, email), email, Occasion("invitation", {"TOKEN": text}, seconds), backend.settings.meta
    )

    async def put(tx: Transaction) -> None:
        await delete_rows(tx.run, dialect, "_invitations", {"collection": collection.id, "email": email})
        await insert_row(tx, dialect, "_invitations", _to_row(tx.texts, made, text))
        await enqueue(tx, dialect, letter)

    await backend.engine.write(put)
    return made


async def find_invitation(backend: WithLetters, collection: Collection, text: str) -> Invitation:
    """The invitation of a letter, which counts on, and is worth what its inviter may do by now.

    Raises `InvitationRefused`.
    """
    invitation_options(collection)
    mark = backend.engine.dialect.placeholder
    sql = f"""SELECT {_COLUMNS} FROM "_invitations" WHERE "hash" = {mark(1)} AND "collection" = {mark(2)}
        AND "expires" > {mark(3)}"""
    rows = await backend.engine.read(sql, (_hash(text), collection.id, time.time()))
    if not rows:
        raise InvitationRefused
    found = _from_row(backend.engine.texts, rows[0])
    if not await _may_invite(Access.of(backend, GUEST), collection, found, {}):
        raise InvitationRefused
    return found


async def accept_invitation(
    backend: WithLetters, collection: Collection, text: str, given: Mapping[str, Any]
) -> Identity:
    """Make the account, with what the invited fill in; it is verified, for they read the mail of its address.

    Raises `InvitationRefused`, and `Invalid` and `AnswersRefused`, which leave the invitation as it is.
    """
    found = await find_invitation(backend, collection, text)
    passwords = {name: given.get(name) for name in ("password", "passwordConfirm")}
    answers = {name: given[name] for name in found.offer.ask if name in given}
    asked = Access.of(backend, GUEST)
    if answers and not await _may_invite(asked, collection, found, answers):
        raise AnswersRefused
    fixed = {"email": found.email, "verified": True}
    system = Access.of_system(backend)
    values = answers | found.offer.values | passwords | fixed
    prepared = await prepare_write(Desk(system, backend.passwords), collection, None, values, {})

    async def accept(tx: Transaction, unit: Unit | None) -> Draft:
        if not await delete_rows(tx.run, backend.engine.dialect, "_invitations", {"id": found.id}):
            raise InvitationRefused  # somebody else came with it at the same moment
        if not await _may_invite(asked.through(tx.run), collection, found, answers):
            raise InvitationRefused  # the inviter was blocked, say, while the password was hashed
        return await Writer(system.through(tx.run), tx, unit).create(collection, prepared)

    work = Work(backend)
    draft = await transact(work, involved(work, ("create", collection)), accept)
    return Identity(collection, draft.values)


async def list_invitations(engine: Engine, collection: Collection, inviter: str = "") -> list[Invitation]:
    """The invitations to a collection that count, newest first; those of one inviter, or of all."""
    where = {"collection": collection.id} | ({"inviter": inviter} if inviter else {})
    test = f'{equal(engine.dialect, where)} AND "expires" > {engine.dialect.placeholder(len(where) + 1)}'
    sql = f'SELECT {_COLUMNS} FROM "_invitations" WHERE {test} ORDER BY "created" DESC, "id"'
    return [_from_row(engine.texts, row) for row in await engine.read(sql, (*where.values(), time.time()))]


async def take_back(engine: Engine, collection: Collection, invitation_id: str, inviter: str = "") -> None:
    """Let an invitation count no more; one of one inviter, or of anybody. Raises `NotFound`."""
    where = {"id": invitation_id, "collection": collection.id} | ({"inviter": inviter} if inviter else {})
    if not await engine.write(lambda tx: delete_rows(tx.run, engine.dialect, "_invitations", where)):
        raise NotFound


async def has_old_invitations(engine: Engine) -> bool:
    """Whether there are invitations that have expired."""
    sql = f'SELECT 1 FROM "_invitations" WHERE "expires" <= {engine.dialect.placeholder(1)} LIMIT 1'
    return bool(await engine.read(sql, [time.time()]))


async def forget_old_invitations(tx: Transaction, dialect: Dialect) -> None:
    """Forget invitations that have expired, not too many at once."""
    old = f'SELECT "id" FROM "_invitations" WHERE "expires" <= {dialect.placeholder(1)} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_invitations" WHERE "id" IN ({old})', [time.time()])


def name_of(account: Identity) -> str:
    """What an inviter is known by."""
    return f"{account.collection.id}/{account.id}"


async def _may_invite(
    access: Access, collection: Collection, invitation: Invitation, answers: Mapping[str, Any]
) -> bool:
    """Whether the inviter could come in now, and may manage what the account will be."""
    inviter = await _find_inviter(access, invitation)
    if inviter is None or await is_blocked(access.run, access.dialect, inviter):
        return False
    values = {**answers, **invitation.offer.values, "email": invitation.email}
    is_in = await _may_log_in(access, inviter)
    return is_in and await may_manage_draft(access.asking(Scope(inviter)), collection, values)


async def _may_log_in(access: Access, account: Identity) -> bool:
    """Whether an account could log in now, as far as can be told: nobody can under the null rule."""
    auth = account.collection.auth
    return auth is not None and auth.auth_rule is not None and await is_let_in(access, account)


async def _find_inviter(access: Access, invitation: Invitation) -> Identity | None:
    collection_id, _, account_id = invitation.inviter.partition("/")
    home = find_auth_collection(access.catalog, collection_id)
    return await find_identity(access.run, access.dialect, home, {"id": account_id}) if home is not None else None


def _to_row(texts: Texts, made: Invitation, text: str) -> dict[str, Value]:
    return {
        "id": made.id,
        "collection": made.collection,
        "email": made.email,
        "hash": _hash(text),
        "offer": texts.seal_text(_place(made.id), msgspec.json.encode(made.offer).decode()),
        "inviter": made.inviter,
        "created": made.created,
        "expires": made.expires,
    }


def _from_row(texts: Texts, row: Row) -> Invitation:
    invitation_id, collection, email, offer, inviter = map(str, row[:5])
    created, expires = (float(value or 0) for value in row[5:])
    kept = msgspec.json.decode(texts.open_text(_place(invitation_id), offer), type=Offer)
    return Invitation(invitation_id, collection, email, kept, inviter, created, expires)


def _place(invitation_id: str) -> str:
    return f"_invitations|offer|{invitation_id}"


def _hash(text: str) -> str:
    return sha256(f"invitation\0{text}".encode(errors="surrogatepass")).hexdigest()
