"""Blocking accounts, by who may manage them: POST and DELETE block/{id}, GET blocked."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.checks import refuse, text_error
from undercroft.api.auth.context import auth_collection, holds, read_form
from undercroft.auth.accounts import account_of
from undercroft.auth.blocks import block_account, let_in_again, list_blocks
from undercroft.dates import date_of
from undercroft.errors import BadRequest, NotFound, Unauthenticated
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.query.scope import Identity


class OneselfBlocked(BadRequest):
    """Somebody is about to lock themselves out."""

    code = "oneself_blocked"
    default = "You can't block your own account."


class BlockForm(msgspec.Struct, frozen=True):
    """Why, for those who look at it later."""

    reason: str = ""


async def block(request: Request) -> Response:
    """POST block/{id}: nobody comes in with the account any more, and whoever was in is out."""
    account, asking = await _account(request), request.identity
    form = await read_form(request, BlockForm)
    refuse({"reason": text_error(form.reason) if form.reason else None})
    if asking is None:
        raise Unauthenticated
    if (asking.collection.id, asking.id) == (account.collection.id, account.id):
        raise OneselfBlocked
    await block_account(request.backend, account, form.reason, asking)
    return no_content()


async def unblock(request: Request) -> Response:
    """DELETE block/{id}: the account may log in again."""
    await let_in_again(request.backend.engine, await _account(request))
    return no_content()


async def list_(request: Request) -> Response:
    """GET blocked: who is blocked."""
    found = await list_blocks(request.backend.engine, auth_collection(request))
    items = [{"record": b.record, "reason": b.reason, "created": date_of(b.created), "by": b.by} for b in found]
    return json_response({"items": items})


async def _account(request: Request) -> Identity:
    """The account of the path. Raises `NotFound` when there is none, or it is not for the caller to manage."""
    collection = auth_collection(request)
    account = await account_of(request.backend, collection, request.params["id"])
    rule = collection.auth.manage_rule if collection.auth else None
    if not await holds(request, account, rule, "default"):
        raise NotFound
    return account
