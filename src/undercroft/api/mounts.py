"""Applications of others below a path of this one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from undercroft.api.own_requests import RouteRequest
from undercroft.api.own_routes import ASGIApp, OwnMount
from undercroft.hooks.failures import BadHooks
from undercroft.hooks.hooks import Hooks, call
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.request import Message, Request, Send
from undercroft.http.response import Header, Response

KEY: Final = "undercroft.request"
"""Where in its scope an application finds the request, with who asks and the records."""
_log = logging.getLogger("undercroft")


class Mounts:
    """The applications by their paths, the longest first."""

    def __init__(self, own: Iterable[OwnMount], hooks: Hooks) -> None:
        self._hooks = hooks
        self._apps: list[tuple[str, ASGIApp]] = []
        for each in own:
            app = each.make()
            if not callable(app):
                raise BadHooks(f"What is mounted at {each.path} is no ASGI application but {type(app).__name__}.")
            self._apps.append((each.path, app))
        self._apps.sort(key=lambda one: -len(one[0]))

    def find(self, request: Request, path: str) -> Response | None:
        """The answer of the application that has this path; None where nobody has."""
        for at, app in self._apps:
            if path == at or path.startswith(f"{at}/"):
                return MountedResponse(request, app, at, self._hooks)
        return None


class MountedResponse(Response):
    """What an application answers, sent as it comes."""

    __slots__ = ("_app", "_at", "_hooks", "_request")

    def __init__(self, request: Request, app: ASGIApp, at: str, hooks: Hooks) -> None:
        super().__init__()
        self._request = request
        self._app = app
        self._at = at
        self._hooks = hooks

    async def send(self, send: Send, common: Sequence[Header], *, without_body: bool = False) -> None:
        """Send it, with headers that every response has; 500 if it fails before it began."""
        del without_body
        request, has_begun = self._request, False
        scope: dict[str, Any] = {**request.asgi, KEY: RouteRequest(request, DEFAULT_LIMIT)}
        scope["root_path"] = scope.get("root_path", "") + self._at

        async def pass_on(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": [*common, *message.get("headers", ())]}
            await send(message)

        try:
            await call(self._hooks, self._app(scope, request.receive, pass_on))
        except Exception:
            _log.exception("The application at %s failed in request %s.", self._at, request.id)
            if has_begun:
                raise
            await _FAILED.send(send, common)


_FAILED: Final = Response(500, b"Something went wrong.", [(b"content-type", b"text/plain; charset=utf-8")])
