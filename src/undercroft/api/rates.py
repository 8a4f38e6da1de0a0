"""Rate limits of requests, and of the requests within one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from undercroft.api.router import Route, escaped_path
from undercroft.collections.collection import Collection
from undercroft.http.request import Request
from undercroft.middleware.rate_limit import Asked, Caller, RateLimited
from undercroft.settings.settings import RateLimits

_FORWARDED: Final = b"x-forwarded-for"
_log = logging.getLogger("undercroft")
_RECORDS: Final = "/api/collections/{collection}/records"
_ITEMS: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("POST", _RECORDS),
    "update": ("PATCH", f"{_RECORDS}/{{id}}"),
    "delete": ("DELETE", f"{_RECORDS}/{{id}}"),
}


def check_rate(request: Request, route: Route | None = None) -> None:
    """Count a request for a route, or for what none leads to. Raises `RateLimited`."""
    limits, limiter = request.backend.settings.rate_limits, request.backend.limiter
    if not limiter.counts(limits):
        return
    path = escaped_path(request.asgi)
    path = unquote(path) if "%" in path else path
    method = "GET" if request.method == "HEAD" else request.method  # it is the same work
    collection = request.backend.catalog.find(request.params["collection"]) if route and route.actions else None
    if route is None or collection is None:
        asked = Asked(method, path)
    else:
        name = f"{route.method} {route.pattern}"
        asked = Asked(method, path, collection.id, collection.name, name, route.actions)
    _check(request, limits, asked)


def check_rate_of_item(request: Request, collection: Collection, action: str, record_id: str) -> None:
    """Count a write in a batch, or by a form, as if it had come alone. Raises `RateLimited`."""
    method, pattern = _ITEMS[action]
    _count(request, collection, (method, pattern.replace("{id}", record_id), f"{method} {pattern}"), (action,))


def check_rate_of_form(request: Request, collection: Collection, endpoint: str, actions: Sequence[str]) -> None:
    """Count a form by which somebody comes in as the request that does the same. Raises `RateLimited`."""
    pattern = f"/api/collections/{{collection}}/{endpoint}"
    _count(request, collection, ("POST", pattern, f"POST {pattern}"), actions)


def _count(request: Request, collection: Collection, what: tuple[str, str, str], actions: Sequence[str]) -> None:
    limits, limiter = request.backend.settings.rate_limits, request.backend.limiter
    if limiter.counts(limits):
        method, path, route = what
        path = path.replace("{collection}", collection.name)
        asked = Asked(method, path, collection.id, collection.name, route, tuple(actions))
        _check(request, limits, asked)


def _check(request: Request, limits: RateLimits, asked: Asked) -> None:
    try:
        request.backend.limiter.check(limits, _caller_of(request), asked)
    except RateLimited:
        _tell_of_proxy(request)
        raise


def _tell_of_proxy(request: Request) -> None:
    """Say once in the log why strangers may share a limit: they come through a proxy that is not declared."""
    limiter, has_passed = request.backend.limiter, request.header(_FORWARDED) is not None
    if has_passed and not request.backend.settings.trusted_proxy.headers and not limiter.has_told_of_proxy:
        limiter.has_told_of_proxy = True
        _log.warning(
            "A request was refused by a rate limit that counts %s, and came with X-Forwarded-For, which is not "
            "trusted: if that is a proxy, all who come through it share the limit. Set trustedProxy.headers.",
            request.client_ip,
        )


def _caller_of(request: Request) -> Caller:
    """Who asks, as limits see it."""
    identity = request.identity
    return Caller(request.client_ip, identity is None, identity is not None and identity.is_superuser)
