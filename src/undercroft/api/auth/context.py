"""What the ways in share: the auth collection of the path, the form, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from undercroft.auth import tokens
from undercroft.auth.blocks import is_blocked
from undercroft.auth.events import RecordAuth
from undercroft.auth.logins import Login
from undercroft.auth.sessions import Device
from undercroft.collections.catalog import UnknownCollection
from undercroft.collections.collection import Collection
from undercroft.errors import Forbidden, NotFound
from undercroft.hooks.hooks import nothing
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.forms import BadForm, load_form
from undercroft.http.json_text import BadBody
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.query.scope import Context, Identity
from undercroft.records.access import Access
from undercroft.records.codec import Record
from undercroft.records.enrich import render
from undercroft.records.host import Work
from undercroft.records.read import show_record
from undercroft.records.rules import satisfies
from undercroft.records.saving import Outside

Shape = TypeVar("Shape", bound=msgspec.Struct)


class NotAuthCollection(NotFound):
    """The collection of the path has no accounts."""

    code = "not_an_auth_collection"
    default = "Missing or invalid auth collection context."


class AuthRuleNotMet(Forbidden):
    """The account exists, but the collection does not let it in."""

    code = "auth_rule_not_met"
    default = "The request doesn't satisfy the collection requirements to authenticate."


class AccountBlocked(AuthRuleNotMet):
    """The account was blocked. Who is told has proven to be its owner, and hears what the rule would say."""

    code = "account_blocked"


def auth_collection(request: Request) -> Collection:
    """The auth collection that the path names. Raises `UnknownCollection` and `NotAuthCollection`."""
    collection = request.backend.catalog.find(request.params["collection"])
    if collection is None:
        raise UnknownCollection("Missing or invalid collection context.")
    if not collection.is_auth:
        raise NotAuthCollection
    return collection


def device_of(request: Request) -> Device:
    """Where a request comes from."""
    return Device(request.client_ip, request.headers.get("user-agent", ""))


async def read_form(request: Request, shape: type[Shape]) -> Shape:
    """The body as a form. Raises `BadForm` for whatever cannot be read as one."""
    try:
        return load_form(await request.body(DEFAULT_LIMIT), shape)
    except BadBody:
        raise BadForm from None


def shown_half(request: Request, sent: str) -> str:
    """The half of a log-in that a request completes: as its form says, or its query; empty for none."""
    return sent or request.query.get("mfaId", "")


async def check_auth_rule(request: Request, identity: Identity, context: Context) -> None:
    """Raise `AuthRuleNotMet` unless the collection lets this account in, and `AccountBlocked` if it is blocked."""
    auth = identity.collection.auth
    if auth is None or not await holds(request, identity, auth.auth_rule, context):
        raise AuthRuleNotMet
    await check_not_blocked(request, identity)


async def check_not_blocked(request: Request, identity: Identity) -> None:
    """Raise `AccountBlocked` if nobody may come in with this account."""
    engine = request.backend.engine
    if await is_blocked(engine.read, engine.dialect, identity):
        raise AccountBlocked


async def holds(request: Request, identity: Identity, rule: str | None, context: Context) -> bool:
    """Whether a rule is true of an account, asked by whoever makes the request."""
    scope = request.rule_scope(context)
    if scope.is_superuser:
        return True
    return await satisfies(Access.of(request.backend, scope), identity.collection, rule, identity.id)


async def answer(request: Request, identity: Identity, token: str, meta: Mapping[str, Any] | None = None) -> Response:
    """The auth response: the account as itself sees it, its token, and what else there is to tell."""
    access = Access.of(request.backend, replace(request.rule_scope(), identity=identity))
    record = await show_record(access, identity.collection, identity.id, request.query.get("expand", ""))
    if not request.backend.hooks.registry.moments:
        return json_response(_told(meta) | {"record": record, "token": token})
    event = await let_hooks_judge(request, identity, record, token, meta)
    return json_response(_told(event.meta) | {"record": event.record, "token": event.token})


def _told(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"meta": meta} if meta else {}


async def judge_session(request: Request, identity: Identity) -> None:
    """Ask hooks before an account gets a session instead of a token, which is empty then. Raises what they raise."""
    if request.backend.hooks.registry.moments:
        access = Access.of(request.backend, replace(request.rule_scope(), identity=identity))
        record = await show_record(access, identity.collection, identity.id)
        await let_hooks_judge(request, identity, record, "")


async def let_hooks_judge(
    request: Request, identity: Identity, record: Record, token: str, meta: Mapping[str, Any] | None = None
) -> RecordAuth:
    """What hooks leave of an admission, `record` being the account as it would be sent. Raises what they raise."""
    work, collection = Work(request.backend, request), identity.collection
    access = Access.of(request.backend, replace(request.rule_scope(), identity=identity))
    shown = msgspec.json.decode(await render(work, access, record))
    event = RecordAuth(Outside(work, access), collection, shown, token)
    event.meta |= meta or {}
    found = work.host.hooks.registry.find("record_auth_request", collection.name, collection.id)
    await work.host.hooks.run(found, event, nothing, work.about)
    return event


def new_token(identity: Identity, *, refreshable: bool, duration: int = 0) -> str:
    """A token to make requests with."""
    return tokens.issue("auth", identity.collection, identity.record, duration, refreshable=refreshable)


def login_token(identity: Identity, login: Login) -> str:
    """A token of a log-in, which tells when that was."""
    return tokens.issue("auth", identity.collection, identity.record, refreshable=True, iat=login.moment)
