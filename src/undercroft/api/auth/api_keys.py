"""API keys of an account: GET, POST and DELETE /api/api-keys."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final

import msgspec

from undercroft.api.auth.checks import refuse, text_error
from undercroft.api.auth.context import read_form
from undercroft.api.auth.own import caller, check_fresh
from undercroft.auth.accounts import account_of
from undercroft.auth.api_keys import LONGEST_NAME, ApiKey, Wanted, add_key, list_keys, revoke_key
from undercroft.auth.key_scopes import parse_scopes, render_scopes
from undercroft.auth.notices import tell_of_change
from undercroft.collections.catalog import Catalog
from undercroft.database.engine import Transaction
from undercroft.dates import date_of, parse_date
from undercroft.errors import FieldError, Invalid, NotFound
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.query.scope import Identity

NO_DATE: Final = FieldError("validation_invalid_date", "Must be a valid date.")
NOT_LATER: Final = FieldError("validation_date_not_later", "Must be a date to come.")


class KeyForm(msgspec.Struct, frozen=True):
    """What a key is called, what it lets its account do, and until when it counts, empty for until it is revoked."""

    name: str = ""
    scopes: tuple[str, ...] = ()
    expires: str = ""


async def create(request: Request) -> Response:
    """POST /api/api-keys: a new key; only this answer has the whole of it."""
    backend, account = request.backend, caller(request)
    form = await read_form(request, KeyForm)
    wanted = read_wanted(form, backend.catalog)
    await check_fresh(request)

    async def add(tx: Transaction) -> tuple[ApiKey, str]:
        made = await add_key(tx, backend.engine.dialect, account, wanted)
        await tell_of_change(backend, tx, account, f"The API key “{form.name}” was made: it acts for your account.")
        return made

    key, text = await backend.engine.write(add)
    return json_response(render_key(key, backend.catalog) | {"key": text})


async def list_(request: Request) -> Response:
    """GET /api/api-keys: the caller's; a superuser may name another account by `collection` and `record`."""
    engine, account = request.backend.engine, await _account_meant(request)
    found = await list_keys(engine.read, engine.dialect, account)
    return json_response({"items": [render_key(each, request.backend.catalog) for each in found]})


async def revoke(request: Request) -> Response:
    """DELETE /api/api-keys/{id}: it opens nothing any more."""
    account = caller(request)
    owner = None if account.is_superuser else account
    await revoke_key(request.backend.engine, request.params["id"], owner)
    return no_content()


def render_key(key: ApiKey, catalog: Catalog) -> dict[str, Any]:
    """A key as its owner sees it, without what makes it one."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.shown,
        "scopes": render_scopes(key.scopes, catalog),
        "created": date_of(key.created),
        "expires": date_of(key.expires),
        "used": date_of(key.used),
        "address": key.address,
    }


def read_wanted(form: KeyForm, catalog: Catalog) -> Wanted:
    """What a key is to be. Raises `Invalid`."""
    refuse({"name": text_error(form.name, LONGEST_NAME)})
    return Wanted(form.name, parse_scopes(form.scopes, catalog), _parse_expiry(form.expires))


def _parse_expiry(text: str) -> float:
    """A moment to come, in seconds since 1970; 0 for the empty text."""
    if not text:
        return 0.0
    date = parse_date(text)
    if not date:
        raise Invalid({"expires": NO_DATE})
    moment = datetime.fromisoformat(date).timestamp()
    if moment <= time.time():
        raise Invalid({"expires": NOT_LATER})
    return moment


async def _account_meant(request: Request) -> Identity:
    """The caller, or the account that a superuser names. Raises `NotFound`."""
    account, backend = caller(request), request.backend
    names = request.query.get("collection", ""), request.query.get("record", "")
    if not account.is_superuser or not any(names):
        return account
    collection = backend.catalog.find(names[0])
    if collection is None or not collection.is_auth:
        raise NotFound
    return await account_of(request.backend, collection, names[1])
