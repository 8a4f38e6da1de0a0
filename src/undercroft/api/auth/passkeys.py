"""Passkeys of an account: request-passkey and confirm-passkey make one, and `passkeys` lists, renames and removes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from undercroft.api.auth.checks import refuse, text_error
from undercroft.api.auth.context import auth_collection, read_form
from undercroft.api.auth.own import account_meant, check_fresh, own_account, session_of
from undercroft.auth.notices import tell_of_change
from undercroft.auth.passkey_check import (
    SECONDS,
    Ceremony,
    Party,
    PasskeyRefused,
    check_creation,
    creation_options,
    handle_of,
    new_challenge,
    read_brought,
)
from undercroft.auth.passkeys import (
    LONGEST_NAME,
    Passkey,
    add_passkey,
    list_passkeys,
    remove_passkey,
    rename_passkey,
)
from undercroft.auth.tickets import Ticket, issue_ticket, use_ticket
from undercroft.collections.collection import Collection
from undercroft.collections.options import Passkeys
from undercroft.database.engine import Transaction
from undercroft.dates import date_of
from undercroft.errors import Forbidden
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.query.scope import Identity

UNNAMED: Final = "Passkey"


class PasskeysOff(Forbidden):
    """Accounts of this collection do not log in with passkeys."""

    code = "passkeys_off"
    default = "The collection is not configured to allow passkey authentication."


class NewPasskeyForm(msgspec.Struct, frozen=True):
    """What the browser made, as `PublicKeyCredential.toJSON()` tells it, and what the account calls it."""

    credential: dict[str, Any] = {}
    name: str = ""


class NameForm(msgspec.Struct, frozen=True):
    """What a passkey is to be called."""

    name: str = ""


async def request(request: Request) -> Response:
    """POST request-passkey: what a browser makes a passkey with, for who has just signed in."""
    collection = auth_collection(request)
    options, account = passkey_options(collection), own_account(request, collection)
    await check_fresh(request)
    backend, challenge = request.backend, new_challenge()
    party, dialect = Party.of(backend.settings.meta), backend.engine.dialect
    known = await list_passkeys(backend.engine.read, dialect, account)
    ticket = Ticket("passkey", collection.id, account.id, (_binding(request, account),))
    await backend.engine.write(lambda tx: issue_ticket(tx, dialect, ticket, challenge, SECONDS))
    ceremony = Ceremony(party, challenge, options.user_verification, known)
    return json_response(creation_options(ceremony, account, handle_of(account, backend.form_key)))


async def confirm(request: Request) -> Response:
    """POST confirm-passkey: the passkey that was made, which opens the account from now on."""
    collection = auth_collection(request)
    passkey_options(collection)
    own_account(request, collection)  # who may not is told before the form is looked at
    return json_response(render_passkey(await add_made(request, collection, await read_form(request, NewPasskeyForm))))


async def add_made(request: Request, collection: Collection, form: NewPasskeyForm) -> Passkey:
    """Have a passkey that the caller's browser made open their account.

    Raises `PasskeysOff`, `Unauthenticated`, `WrongCollection`, `Invalid` and `PasskeyRefused`.
    """
    options, account = passkey_options(collection), own_account(request, collection)
    refuse({"name": text_error(form.name or UNNAMED, LONGEST_NAME)})
    backend = request.backend
    challenge = read_brought(form.credential).client_data.challenge
    dialect, mine = backend.engine.dialect, Ticket("passkey", collection.id, account.id, (_binding(request, account),))
    if await backend.engine.write(lambda tx: use_ticket(tx, dialect, "passkey", challenge)) != mine:
        raise PasskeyRefused
    ceremony = Ceremony(Party.of(backend.settings.meta), challenge, options.user_verification)
    made = await check_creation(ceremony, form.credential, account, handle_of(account, backend.form_key))
    passkey = replace(made, name=form.name or UNNAMED)

    async def add(tx: Transaction) -> None:
        await add_passkey(tx, dialect, account, passkey)
        await tell_of_change(backend, tx, account, f"The passkey “{passkey.name}” was added: it opens your account.")

    await backend.engine.write(add)
    return passkey


async def list_(request: Request) -> Response:
    """GET passkeys"""
    account, engine = await account_meant(request, auth_collection(request)), request.backend.engine
    found = await list_passkeys(engine.read, engine.dialect, account)
    return json_response({"items": [render_passkey(each) for each in found]})


async def rename(request: Request) -> Response:
    """PATCH passkeys/{id}"""
    account = await account_meant(request, auth_collection(request))
    form = await read_form(request, NameForm)
    refuse({"name": text_error(form.name, LONGEST_NAME)})
    passkey = await rename_passkey(request.backend.engine, account, request.params["id"], form.name)
    return json_response(render_passkey(passkey))


async def remove(request: Request) -> Response:
    """DELETE passkeys/{id}: it opens nothing any more."""
    account = await account_meant(request, auth_collection(request))
    await check_fresh(request)
    await remove_passkey(request.backend.engine, account, request.params["id"])
    return no_content()


def passkey_options(collection: Collection) -> Passkeys:
    """How accounts of the collection log in with passkeys. Raises `PasskeysOff`."""
    if collection.auth is None or not collection.auth.passkeys.enabled:
        raise PasskeysOff
    return collection.auth.passkeys


def render_passkey(passkey: Passkey) -> dict[str, Any]:
    """A passkey as its owner sees it."""
    return {
        "id": passkey.id,
        "name": passkey.name,
        "created": date_of(passkey.created),
        "used": date_of(passkey.used),
        "isBackedUp": passkey.details.is_backed_up,
        "transports": passkey.details.transports,
    }


def _binding(request: Request, account: Identity) -> str:
    """Who goes on with a challenge must be who asked for it: in the same session, and with the same token key."""
    return sha256(f"{session_of(request)}\0{account.record['tokenKey']}".encode()).hexdigest()
