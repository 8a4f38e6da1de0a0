"""Who asks: from the Authorization header or a session's cookie to an identity, and what a route demands of it."""

from __future__ import annotations

from typing import Final, Literal

from undercroft.auth.identify import identify
from undercroft.auth.sessions import find_session
from undercroft.errors import Forbidden, Unauthenticated
from undercroft.http.client_ip import is_listed
from undercroft.http.cookies import find_cookie
from undercroft.http.request import Request
from undercroft.middleware.same_origin import is_same_origin
from undercroft.query.scope import Identity

Demand = Literal["any", "auth", "superuser"]
_OWN_MACHINE: Final = (b"localhost", b"127.0.0.1", b"[::1]")


class NotASuperuser(Forbidden):
    """The route is for superusers, and the caller is someone else."""

    code = "not_a_superuser"
    default = "The authorized record is not allowed to perform this action."


class SuperuserFromElsewhere(Forbidden):
    """A superuser calls from an address that is not on the list."""

    code = "superuser_from_elsewhere"


async def authenticate(request: Request) -> Identity | None:
    """The caller; None is a guest. Raises `SuperuserFromElsewhere`."""
    header = request.header(b"authorization")
    if header:
        identity = await identify(request.backend, header.decode("latin-1"), request.guest_scope)
    elif request.header(b"cookie") is not None and is_same_origin(request):
        identity = await find_session(request.backend, session_value(request))
    else:
        return None
    if identity is not None and identity.is_superuser:
        check_superuser_address(request)
    if identity is not None and identity.grant is not None:
        request.backend.key_uses.note(identity.grant.key, request.client_ip)
    return identity


def session_value(request: Request) -> str:
    """The value of the session's cookie, or empty text."""
    return find_cookie(request.asgi["headers"], session_cookie(request))


def session_cookie(request: Request) -> bytes:
    """What the session's cookie is called.

    With the prefix `__Host-` a browser takes it from this very host alone, and only where the
    connection is safe: over TLS, or within one machine.
    """
    return b"__Host-session" if is_private(request) else b"session"


def is_private(request: Request) -> bool:
    """Whether nobody between can read along: over TLS, also where a proxy ends it, or within one machine."""
    headers = request.asgi["headers"]
    if request.asgi["scheme"] == "https" or (b"x-forwarded-proto", b"https") in headers:
        return True
    host = (request.header(b"host") or b"").rpartition(b":")[0] or request.header(b"host")
    return host in _OWN_MACHINE


def check_superuser_address(request: Request) -> None:
    """Refuse a superuser who calls from outside the listed addresses. Raises `SuperuserFromElsewhere`."""
    listed = request.backend.settings.superuser_ips
    if listed and not is_listed(request.client_ip, listed):
        raise SuperuserFromElsewhere


def check_demand(identity: Identity | None, demand: Demand) -> None:
    """Refuse a caller who is not what the route demands. Raises `Unauthenticated` and `NotASuperuser`."""
    if demand == "any":
        return
    if identity is None:
        raise Unauthenticated
    if demand == "superuser" and not identity.is_superuser:
        raise NotASuperuser
