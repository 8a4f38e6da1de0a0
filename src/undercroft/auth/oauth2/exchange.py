"""The second step: a code for what it stands for, from the provider itself."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlencode

import msgspec

from undercroft.auth.oauth2.provider import Provider
from undercroft.auth.oauth2.vendor import read_text
from undercroft.dates import render_date
from undercroft.errors import BadRequest
from undercroft.http.outgoing import Call, Caller, OutgoingFailed, OutgoingRefused, Reply

_GOOD: Final = range(200, 300)
_LONGEST_LIFE: Final = 10 * 365 * 86400
_log = logging.getLogger("undercroft")


class CodeRefused(BadRequest):
    """The provider did not take the code, or could not be asked."""

    code = "oauth2_code_refused"
    default = "Failed to fetch OAuth2 token."


@dataclass(frozen=True, slots=True)
class Line:
    """A provider, what asks it, and the private networks that it may be in."""

    provider: Provider
    call: Caller
    networks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What somebody came back with from a provider, and what they had kept for that moment."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider gave for a code; `answer` is all of it."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expiry: str
    id_token: str = field(repr=False)
    answer: Mapping[str, Any] = field(repr=False)


async def exchange(line: Line, ticket: Ticket) -> Grant:
    """What the provider gives for a code. Raises `CodeRefused`."""
    provider = line.provider
    if provider.pkce and not ticket.verifier:
        raise CodeRefused
    wanted = {
        "code": ticket.code,
        "code_verifier": ticket.verifier if provider.pkce else "",
        "grant_type": "authorization_code",
        "redirect_uri": ticket.redirect_url,
    }
    form = {name: value for name, value in wanted.items() if value}
    who = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
    answer = await _ask(line, form, {"Authorization": f"Basic {b64encode(who.encode()).decode()}"})
    if not _has_token(answer) and answer.get("error") != "invalid_grant":
        # RFC 6749, 2.3.1: the header is for all, but some know only the form.
        known = {"client_id": provider.client_id, "client_secret": provider.client_secret}
        answer = await _ask(line, form | known, {})
    if not _has_token(answer):
        _tell(provider, answer, ticket)
        raise CodeRefused
    return _read(answer)


def _tell(provider: Provider, answer: Mapping[str, Any], ticket: Ticket) -> None:
    excuse = _excuse(answer, (provider.client_secret, ticket.code, ticket.verifier))
    if answer.get("error") == "invalid_grant":  # which anybody can bring about
        _log.info("OAuth2 provider %s took no code: %s", provider.name, excuse)
    else:
        complain(provider, "took no code", excuse)


def complain(provider: Provider, what: str, why: str) -> None:
    """Tell the operator why nobody gets in through a provider; those who want in are told nothing of it."""
    _log.warning("OAuth2 provider %s %s: %s", provider.name, what, why)


def read_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply; empty for what is none."""
    try:
        found = msgspec.json.decode(reply.body) if not reply.is_cut else None
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def _ask(line: Line, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    """What the token endpoint says. Raises `CodeRefused`."""
    sent = {**headers, "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    asked = Call(line.provider.token_url, "POST", sent, urlencode(form).encode(), line.networks)
    try:
        reply = await line.call(asked)
    except (OutgoingRefused, OutgoingFailed) as problem:
        complain(line.provider, "cannot be asked", problem.message())
        raise CodeRefused from problem
    answer = read_object(reply) or _read_form(reply)
    if reply.number in _GOOD:
        return answer
    return {"error": _text(answer, "error") or f"it answered {reply.number}", **_described(answer)}


def _read_form(reply: Reply) -> dict[str, Any]:
    """The answer of those who answer by a form."""
    text = reply.body.decode("utf-8", "replace")
    return dict(parse_qsl(text, max_num_fields=50)) if text.isascii() and "access_token=" in text else {}


def _read(answer: Mapping[str, Any]) -> Grant:
    return Grant(
        _text(answer, "access_token"),
        _text(answer, "refresh_token"),
        _expiry(answer),
        _text(answer, "id_token"),
        answer,
    )


def _expiry(answer: Mapping[str, Any]) -> str:
    """When the access token ends; empty when nobody says."""
    text = read_text(answer, "expires_in")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    life = timedelta(seconds=min(seconds, _LONGEST_LIFE))
    return render_date(datetime.now(UTC) + life) if seconds else ""


def _has_token(answer: Mapping[str, Any]) -> bool:
    token = _text(answer, "access_token")
    return bool(token) and token.isascii() and token.isprintable()


def _text(answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    return found if isinstance(found, str) else ""


def _described(answer: Mapping[str, Any]) -> dict[str, str]:
    described = _text(answer, "error_description")
    return {"error_description": described} if described else {}


def _excuse(answer: Mapping[str, Any], secrets: Iterable[str]) -> str:
    """What a provider says for itself, short and on one line, without what it was told in confidence."""
    said = " - ".join(filter(None, (_text(answer, "error"), _text(answer, "error_description"))))
    for secret in filter(None, secrets):
        said = said.replace(secret, "***")
    return repr(said[:200]) if said else "its answer has no access token"
