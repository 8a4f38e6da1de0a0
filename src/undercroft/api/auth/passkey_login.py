"""POST request-passkey-login and auth-with-passkey: in with a passkey, alone or as the second factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from undercroft.api.auth.admit import Way, admit
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form
from undercroft.api.auth.passkeys import passkey_options
from undercroft.auth.mfa import find_first_half
from undercroft.auth.passkey_check import (
    SECONDS,
    Brought,
    Ceremony,
    Party,
    PasskeyRefused,
    check_use,
    new_challenge,
    read_brought,
    request_options,
)
from undercroft.auth.passkeys import Passkey, find_passkey, list_passkeys, note_use
from undercroft.auth.tickets import Ticket, issue_ticket, use_ticket
from undercroft.collections.collection import Collection
from undercroft.collections.options import Verification
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.middleware.authenticate import check_superuser_address
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity


class BeginForm(msgspec.Struct, frozen=True, rename="camel"):
    """The first half of the log-in, if the passkey is the second."""

    mfa_id: str = ""


class PasskeyForm(msgspec.Struct, frozen=True, rename="camel"):
    """What the browser brings, as `PublicKeyCredential.toJSON()` tells it."""

    credential: dict[str, Any] = {}
    mfa_id: str = ""


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who has come in with a passkey, whether the authenticator knew its user, and whose first half it goes with."""

    identity: Identity
    is_verified: bool
    mfa_id: str = ""


async def request(request: Request) -> Response:
    """What a browser uses a passkey for: any of the site's, or those of the account whose first half it is."""
    collection = auth_collection(request)
    options = passkey_options(collection)
    form = await read_form(request, BeginForm)
    backend, challenge = request.backend, new_challenge()
    engine, party = backend.engine, Party.of(backend.settings.meta)
    half = await find_first_half(backend, collection, form.mfa_id) if form.mfa_id else None
    ticket = Ticket("passkey login", collection.id, half.id if half else "", (form.mfa_id,) if half else ())
    await engine.write(lambda tx: issue_ticket(tx, engine.dialect, ticket, challenge, SECONDS))
    known = await list_passkeys(engine.read, engine.dialect, half) if half else []
    verification: Verification = "preferred" if half else options.user_verification
    return json_response(request_options(Ceremony(party, challenge, verification, known)))


async def log_in(request: Request) -> Response:
    """Log in: the account and a token for it."""
    collection = auth_collection(request)
    passkey_options(collection)
    form = await read_form(request, PasskeyForm)
    entrant = await prove(request, collection, form)
    return await admit(request, entrant.identity, Way("passkey", entrant.is_verified), entrant.mfa_id)


async def prove(request: Request, collection: Collection, form: PasskeyForm) -> Entrant:
    """Who proves by a passkey who they are, and whom the collection lets in.

    A challenge that was asked for a first half counts with that one alone.
    Raises `PasskeysOff`, `PasskeyRefused`, `SuperuserFromElsewhere` and `AuthRuleNotMet`.
    """
    options, engine = passkey_options(collection), request.backend.engine
    brought = read_brought(form.credential)
    challenge = brought.client_data.challenge
    ticket = await engine.write(lambda tx: use_ticket(tx, engine.dialect, "passkey login", challenge))
    if ticket is None or ticket.collection != collection.id or (ticket.data and form.mfa_id not in ("", *ticket.data)):
        raise PasskeyRefused
    passkey = await find_passkey(engine, collection.id, brought.id)
    if passkey is None or not _is_its_own(passkey, ticket, brought):
        raise PasskeyRefused
    verification: Verification = "preferred" if ticket.record else options.user_verification
    ceremony = Ceremony(Party.of(request.backend.settings.meta), challenge, verification)
    proven = await check_use(ceremony, form.credential, passkey)
    identity = await _find_owner(request, collection, passkey, proven.counter)
    if identity.is_superuser:
        check_superuser_address(request)
    await check_auth_rule(request, identity, "passkey")
    return Entrant(identity, proven.is_verified, *(ticket.data or (form.mfa_id,)))


def _is_its_own(passkey: Passkey, ticket: Ticket, brought: Brought) -> bool:
    """Whether the passkey is of the account that is known already, or of the one it names itself."""
    handle = brought.response.user_handle
    if ticket.record:
        return ticket.record == passkey.record and handle in (None, passkey.handle)
    return handle == passkey.handle


async def _find_owner(request: Request, collection: Collection, passkey: Passkey, counter: int) -> Identity:
    """The account of a passkey that was just used, which is noted. Raises `PasskeyRefused`."""
    engine = request.backend.engine
    if not await engine.write(lambda tx: note_use(tx, engine.dialect, passkey, counter)):
        raise PasskeyRefused
    account = await find_identity(engine.read, engine.dialect, collection, {"id": passkey.record})
    if account is None:
        raise PasskeyRefused
    return account
