"""POST auth-with-oauth2: a code that somebody brings back from a provider, for a token of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from undercroft.api.auth.admit import admit
from undercroft.api.auth.checks import refuse
from undercroft.api.auth.context import auth_collection, check_auth_rule, read_form
from undercroft.api.auth.oauth2_redirect import part_name
from undercroft.api.records import access_of
from undercroft.auth.oauth2.accounts import Comer
from undercroft.auth.oauth2.asking import ask_who
from undercroft.auth.oauth2.exchange import Grant, Line, Ticket, exchange
from undercroft.auth.oauth2.person import Person
from undercroft.auth.oauth2.provider import Provider, find_provider, oauth2_options
from undercroft.auth.oauth2.sign_in import SignIn, describe
from undercroft.collections.collection import Collection
from undercroft.collections.options import OAuth2
from undercroft.errors import REQUIRED, FieldError
from undercroft.http.calling import call
from undercroft.http.forms import BadForm
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.query.scope import Identity
from undercroft.records.host import Work

_LONGEST_NAME: Final = 100


class OAuth2Form(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which provider somebody comes from, with what, and what a new account is to be made of."""

    provider: str = ""
    code: str = ""
    code_verifier: str = ""
    redirect_url: str = msgspec.field(default="", name="redirectURL")
    create_data: dict[str, Any] = {}
    mfa_id: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came from a provider, and what that says of them."""

    identity: Identity
    meta: dict[str, Any]


async def handler(request: Request) -> Response:
    """Log in, or make an account and log in to it: the account, a token for it, and who the provider says it is."""
    collection = auth_collection(request)
    oauth2_options(collection)
    form = await read_form(request, OAuth2Form)
    arrival = await prove(request, collection, form)
    return await admit(request, arrival.identity, "oauth2", form.mfa_id, arrival.meta)


async def prove(request: Request, collection: Collection, form: OAuth2Form) -> Arrival:
    """Who brings back a code of a provider, as an account that may have been made just now.

    Raises `OAuth2Off`, `Invalid`, `CodeRefused`, `PersonRefused`, `AuthRuleNotMet`, and what making an account raises.
    """
    options = oauth2_options(collection)
    line = Line(_check(form, options), call, request.backend.outgoing_networks)
    code, name = part_name(form.code)
    ticket = Ticket(code, form.code_verifier, form.redirect_url)
    grant = await exchange(line, ticket)
    person = await ask_who(line, ticket, grant, name)
    signing_in = _sign_in(request, line, Comer(collection, form.provider, person, request.identity))
    identity = await signing_in.run(grant, form.create_data)
    await check_auth_rule(request, identity, "oauth2")
    return Arrival(identity, _meta(person, grant, is_new=signing_in.is_new))


def _check(form: OAuth2Form, options: OAuth2) -> Provider:
    """The provider that the form names. Raises `Invalid`."""
    provider = find_provider(options, form.provider)
    errors = {
        "provider": _name_error(form.provider) or (None if provider else _unknown(form.provider)),
        "code": None if form.code else REQUIRED,
    }
    refuse(errors, BadForm.default)
    if provider is None:
        raise BadForm
    return provider


def _name_error(name: str) -> FieldError | None:
    if not name:
        return REQUIRED
    text = f"The length must be no more than {_LONGEST_NAME}."
    too_long = FieldError("validation_length_too_long", text, {"min": 0, "max": _LONGEST_NAME})
    return too_long if len(name) > _LONGEST_NAME else None


def _unknown(name: str) -> FieldError:
    text = f"Provider with name {name} is missing or is not enabled."
    return FieldError("validation_invalid_provider", text, {"name": name})


def _sign_in(request: Request, line: Line, comer: Comer) -> SignIn:
    work, access = Work(request.backend, request), access_of(request).within("oauth2")
    return SignIn(request.backend, work, access, line, comer)


def _meta(person: Person, grant: Grant, *, is_new: bool) -> dict[str, Any]:
    return {**describe(person, grant), "isNew": is_new}
