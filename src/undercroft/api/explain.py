"""The explain header: a list or view answer with the reasons beside it.

    X-Undercroft-Explain: 1
    X-Undercroft-As: users/RECORD_ID        (or: guest)

Superusers only. The answer is the normal one, of the named caller, with one key
more: `explain`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import msgspec

from undercroft.api.params import list_params
from undercroft.collections.collection import Action, Collection
from undercroft.errors import BadRequest, Forbidden, Problem
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.middleware.errors import error_body, status_of
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.explain import Recorder, explain_answer
from undercroft.records.read import list_records, view_record
from undercroft.records.record import find_identity

HEADER: Final = b"x-undercroft-explain"
_AS: Final = b"x-undercroft-as"


class UnknownCaller(BadRequest):
    """The caller to explain for does not exist."""

    code = "unknown_caller"

    def __init__(self, name: str) -> None:
        super().__init__(f"X-Undercroft-As must be 'guest' or COLLECTION/ID of an auth record; {name!r} is neither.")


class ExplainIsForSuperusers(Forbidden):
    """Explanations show rules and statements, so only superusers get them."""

    code = "explain_superusers_only"
    default = "Only superusers can ask for an explanation."


def is_wanted(request: Request) -> bool:
    """Whether the request asks for an explanation."""
    return request.header(HEADER) not in (None, b"", b"0", b"false")


async def explained(request: Request, action: Action, collection: Collection) -> Response:
    """The answer to a list or view request with `explain` beside it."""
    if request.identity is None or not request.identity.is_superuser:
        raise ExplainIsForSuperusers
    if request.identity.grant is not None:
        request.identity.grant.check_all("read")  # it shows what others see, whatever they see
    backend = request.backend
    scope = replace(request.rule_scope(), identity=await _named_caller(request))
    quiet = Access.of(backend, scope)
    recorder = Recorder(backend.engine.read)
    status, answer, ids = await _answer(request, action, collection, quiet.through(recorder.run))
    recorder.lap("answer")
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    recorder.lap("encode")
    reasons = await explain_answer(quiet, action, collection, ids or _ids(body), recorder)
    return json_response({**body, "explain": reasons}, status)


async def _answer(
    request: Request, action: Action, collection: Collection, access: Access
) -> tuple[int, Any, list[str]]:
    """Status, body, and the ids that were asked for by name."""
    ids = [request.params["id"]] if action == "view" else []
    try:
        if action == "list":
            return 200, await list_records(access, collection, list_params(request.query)), ids
        return 200, await view_record(access, collection, ids[0], request.query.get("expand", "")), ids
    except Problem as problem:
        return status_of(problem), error_body(problem), ids


async def _named_caller(request: Request) -> Identity | None:
    """Who the explanation is for: the superuser unless another caller is named. Raises `UnknownCaller`."""
    name = (request.header(_AS) or b"").decode("latin-1")
    if not name:
        return request.identity
    if name == "guest":
        return None
    backend = request.backend
    where, _, record_id = name.partition("/")
    collection = backend.catalog.find(where)
    if collection is None or not collection.is_auth:
        raise UnknownCaller(name)
    account = await find_identity(backend.engine.read, backend.engine.dialect, collection, {"id": record_id})
    if account is None:
        raise UnknownCaller(name)
    return account


def _ids(body: dict[str, Any]) -> list[str]:
    return [item["id"] for item in body.get("items", ())]
