"""Request ids and access lines."""

from __future__ import annotations

import logging
from itertools import count
from time import perf_counter
from typing import Final

from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.ids import random_text

_LONGEST: Final = 64
_ALLOWED: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_log = logging.getLogger("undercroft.access")


class Tracer:
    """Gives requests their ids, and writes a line about each when the log is on."""

    def __init__(self) -> None:
        self._prefix = random_text(8).lower() + "-"
        self._count = count(1)

    @property
    def is_on(self) -> bool:
        """Whether access lines are wanted."""
        return _log.isEnabledFor(logging.INFO)

    def name(self, request: Request) -> str:
        """The id that came with the request, when it is fit to be logged, or a new one."""
        told = request.header(b"x-request-id")
        if told and len(told) <= _LONGEST and _ALLOWED.issuperset(told):
            return told.decode("ascii")
        return f"{self._prefix}{next(self._count)}"

    def write(self, request: Request, response: Response, began: float) -> None:
        """One line: method, path, status, milliseconds, address, id. Never the query, which may hold secrets."""
        took = (perf_counter() - began) * 1000
        path = _told(request).encode("unicode_escape").decode("ascii")
        _log.info("%s %s %d %.1fms %s %s", request.method, path, response.status, took, request.client_ip, request.id)


def _told(request: Request) -> str:
    """The path, but for what is secret in it."""
    token = request.params.get("token")
    return request.path.replace(f"/{token}", "/***") if token else request.path
