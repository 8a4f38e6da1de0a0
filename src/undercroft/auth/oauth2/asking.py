"""The third step: who it is, asked of the provider, or read in what it has signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urljoin

import msgspec

from undercroft.auth.oauth2.authorize import nonce_of
from undercroft.auth.oauth2.exchange import Grant, Line, Ticket, complain, read_object
from undercroft.auth.oauth2.person import Answers, Person, PersonRefused, needs_emails, read_person
from undercroft.auth.oauth2.provider import Provider
from undercroft.auth.oauth2.vendor import IdToken
from undercroft.http.outgoing import Call, OutgoingFailed, OutgoingRefused, Reply

_GOOD: Final = range(200, 300)
_NO_ANSWER: Final = range(500, 600)


async def ask_who(line: Line, ticket: Ticket, grant: Grant, name: str = "") -> Person:
    """Who somebody is for whom a code was given; `name` is for where the provider has none.

    Raises `PersonRefused`.
    """
    provider = line.provider
    claims = await _read_claims(line, provider.id_token, ticket, grant) if provider.id_token else {}
    user = await _ask_user(line, grant) if provider.user_url else dict(claims)
    if provider.user_url and provider.vendor.id == "sub" and claims and user.get("sub") != claims["sub"]:
        raise _refusal(provider, "its answer is of somebody else than its ID token")
    emails = await _ask_emails(line, grant) if needs_emails(provider, user) else None
    person = read_person(provider, grant, Answers(user, claims, emails))
    if person is None:
        raise _refusal(provider, "it has no such account, or none that is in use")
    return person if person.name else replace(person, name=name)


async def _read_claims(line: Line, signed: IdToken, ticket: Ticket, grant: Grant) -> dict[str, Any]:
    # The library for signatures is large, and most providers sign nothing.
    from undercroft.auth.oauth2.id_token import (  # noqa: PLC0415 - see above
        BadIdTokenError,
        Expected,
        read_id_token,
    )

    provider = line.provider
    expected = Expected(
        signed.issuers,
        provider.client_id,
        provider.algorithms,
        nonce_of(ticket.verifier) if provider.has_nonce else "",
        may_lack_nonce=signed.nonce == "where supported",
    )
    if not signed.jwks_url:
        raise _refusal(provider, "has neither a userInfoURL to ask, nor extra.jwksURL and extra.issuers to believe")
    keys = read_object(await _get(line, signed.jwks_url, {}))
    try:
        return read_id_token(grant.id_token, keys, expected)
    except BadIdTokenError as error:
        raise _refusal(provider, f"sent an ID token that is not believed: {error}") from error


async def _ask_user(line: Line, grant: Grant) -> dict[str, Any]:
    provider, query = line.provider, line.provider.vendor.query
    headers = _headers(provider, grant)
    if query:
        headers |= {"Content-Type": "application/json"}
    body = msgspec.json.encode({"query": query}) if query else b""
    asked = Call(provider.user_url, "POST" if query else "GET", headers, body, line.networks)
    reply = await _call(line, asked)
    user = read_object(reply)
    if reply.number not in _GOOD or not user:
        raise _refusal(provider, f"answered {reply.number} when it was asked who it is")
    return {name: grant.answer[name] for name in provider.vendor.added if name in grant.answer} | user


async def _ask_emails(line: Line, grant: Grant) -> Any:
    """What the provider says of addresses; None where it may not tell."""
    emails = line.provider.vendor.emails
    suffix = emails.url if emails is not None else ""
    base = line.provider.user_url
    url = base + suffix if suffix.startswith("/") else urljoin(base, suffix)
    reply = await _get(line, url, _headers(line.provider, grant))
    if reply.number in _NO_ANSWER or reply.is_cut:
        raise _refusal(line.provider, f"answered {reply.number} when it was asked for addresses")
    try:
        return msgspec.json.decode(reply.body) if reply.number in _GOOD else None
    except (msgspec.DecodeError, RecursionError):
        return None


async def _get(line: Line, url: str, headers: Mapping[str, str]) -> Reply:
    return await _call(line, Call(url, "GET", {**headers, "Accept": "application/json"}, networks=line.networks))


async def _call(line: Line, asked: Call) -> Reply:
    try:
        return await line.call(asked)
    except (OutgoingRefused, OutgoingFailed) as problem:
        raise _refusal(line.provider, problem.message()) from problem


def _headers(provider: Provider, grant: Grant) -> dict[str, str]:
    own = {name: text.replace("{client_id}", provider.client_id) for name, text in provider.vendor.headers.items()}
    return {"Authorization": f"Bearer {grant.access_token}", "Accept": "application/json", **own}


def _refusal(provider: Provider, why: str) -> PersonRefused:
    complain(provider, "told of nobody", why)
    return PersonRefused()
