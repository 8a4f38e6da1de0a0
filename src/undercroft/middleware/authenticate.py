"""Who asks: from the Authorization header to an identity, and what a route demands of it."""

from __future__ import annotations

from typing import Literal

from undercroft.auth.identify import identify
from undercroft.errors import Forbidden, Unauthenticated
from undercroft.http.client_ip import is_listed
from undercroft.http.request import Request
from undercroft.query.scope import Identity

Demand = Literal["any", "auth", "superuser"]


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
    if not header:
        return None
    identity = await identify(request.backend, header.decode("latin-1"))
    if identity is not None and identity.is_superuser:
        check_superuser_address(request)
    return identity


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
