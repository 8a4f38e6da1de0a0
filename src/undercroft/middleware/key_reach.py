"""What may be asked with an API key, before a handler runs."""

from __future__ import annotations

from typing import Final, Literal

from undercroft.query.grant import NotWithKey, ScopeMissing
from undercroft.query.scope import Identity

Reach = Literal["all", "parts", "uploads", "none"]
"""Which keys lead to a route.

all       those that cover all that the account may read or do
parts     those that cover a part as well: its handler sees which collection it is about
uploads   those that may write something, to send what will be written
none      none: it has to do with how accounts are reached
"""
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def check_reach(identity: Identity | None, method: str, reach: Reach = "all") -> None:
    """Refuse what the caller's API key does not cover. Raises `ScopeMissing` and `NotWithKey`."""
    grant = identity.grant if identity is not None else None
    if grant is None or reach == "parts":
        return
    if reach == "none":
        raise NotWithKey
    if reach == "all":
        grant.check_all("read" if method in _SAFE else "write")
    elif not grant.can_write:
        raise ScopeMissing("COLLECTION:write")
