"""Routes of a site's own: functions at paths, and whole ASGI applications under them.

@route.get("/api/hello/{name}")
async def hello(request: RouteRequest) -> dict[str, str]:
return {"hello": request.params["name"]}

@mount("/shop")
def shop() -> ASGIApp:
return FastAPI()
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from undercroft.api.own_requests import RouteRequest
from undercroft.api.router import Handler, Route
from undercroft.hooks.failures import BadHooks
from undercroft.hooks.hook import Hook
from undercroft.hooks.hooks import Hooks, call
from undercroft.hooks.moment import Declarations
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.request import Message, Receive, Request, Send
from undercroft.http.response import Response, json_response, no_content
from undercroft.middleware.authenticate import Demand

ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]
Answers = Callable[[RouteRequest], Any]
F = TypeVar("F", bound=Answers)
M = TypeVar("M", bound=Callable[[], ASGIApp])
_OURS: Final = "/_/"
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class BadAnswerError(Exception):
    """What a route's function returned cannot be sent."""


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """A function that answers at a path; `limit` is how many bytes a body may have."""

    method: str
    pattern: str
    function: Answers
    auth: Demand = "any"
    limit: int = DEFAULT_LIMIT

    @property
    def hook(self) -> Hook:
        """The function as what is called, and named in the log."""
        return Hook("route", self.function)


@dataclass(frozen=True, slots=True)
class OwnMount:
    """What makes an application that answers everything below a path."""

    path: str
    make: Callable[[], ASGIApp]


class RouteDecorators:
    """`route.get(pattern)` and its like: `{name}` in the pattern stands for one segment of the path."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def get(self, pattern: str, *, auth: Demand = "any", limit: int = DEFAULT_LIMIT) -> Callable[[F], F]:
        """Answer GET and HEAD; `auth` says who may ask: "any", "auth" or "superuser"."""
        return self._decorator("GET", pattern, auth, limit)

    def post(self, pattern: str, *, auth: Demand = "any", limit: int = DEFAULT_LIMIT) -> Callable[[F], F]:
        """Answer POST."""
        return self._decorator("POST", pattern, auth, limit)

    def put(self, pattern: str, *, auth: Demand = "any", limit: int = DEFAULT_LIMIT) -> Callable[[F], F]:
        """Answer PUT."""
        return self._decorator("PUT", pattern, auth, limit)

    def patch(self, pattern: str, *, auth: Demand = "any", limit: int = DEFAULT_LIMIT) -> Callable[[F], F]:
        """Answer PATCH."""
        return self._decorator("PATCH", pattern, auth, limit)

    def delete(self, pattern: str, *, auth: Demand = "any", limit: int = DEFAULT_LIMIT) -> Callable[[F], F]:
        """Answer DELETE."""
        return self._decorator("DELETE", pattern, auth, limit)

    def _decorator(self, method: str, pattern: str, auth: Demand, limit: int) -> Callable[[F], F]:
        _check_path(pattern)

        def decorate(function: F) -> F:
            self._declarations.declare(function, OwnRoute(method, pattern, function, auth, limit))
            return function

        return decorate


class MountDecorator:
    """`@mount("/shop")` on a function that makes an ASGI application."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def __call__(self, path: str) -> Callable[[M], M]:
        """Have an application answer everything at and below a path; it is made once, at the start."""
        _check_path(path)

        def decorate(make: M) -> M:
            self._declarations.declare(make, OwnMount(path.rstrip("/"), make))
            return make

        return decorate


def _check_path(path: str) -> None:
    """Raises `ValueError` for a path that could not be reached, or is the program's own."""
    if not path.startswith("/") or "//" in path or path == "/" or path.startswith(_OURS):
        raise ValueError(f"{path!r} is no path for routes: write one like '/api/hello/{{name}}'; /_/ is taken.")


def make_routes(own: Iterable[OwnRoute], taken: Iterable[Route], hooks: Hooks) -> list[Route]:
    """Routes for the router. Raises `BadHooks` for one that is there already."""
    known = {(route.method, _shape(route.pattern)) for route in taken}
    made: list[Route] = []
    for each in own:
        key = each.method, _shape(each.pattern)
        if key in known:
            raise BadHooks(f"{each.hook.name}: there is a route {each.method} {each.pattern} already.")
        known.add(key)
        made.append(Route(each.method, each.pattern, _handler(each, hooks), each.auth))
    return made


def _shape(pattern: str) -> str:
    """The pattern without the names of its parts."""
    return "/".join("{}" if segment.startswith("{") else segment for segment in pattern.split("/"))


def _handler(own: OwnRoute, hooks: Hooks) -> Handler:
    async def handler(request: Request) -> Response:
        asked = RouteRequest(request, own.limit)
        answer: list[Any] = []
        if inspect.iscoroutinefunction(own.function):
            answer.append(await call(hooks, own.function(asked)))
        else:
            await hooks.threads.run(lambda: answer.append(own.function(asked)))
        response = _response(answer[0], own)
        response.headers = [*response.headers, *asked.headers_to_send]
        return response

    return handler


def _response(answer: Any, own: OwnRoute) -> Response:
    """What a function's answer is sent as: None is 204, text is plain text, everything else JSON."""
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return no_content()
    if isinstance(answer, str):
        return Response(200, answer.encode(), (_TEXT,))
    try:
        return json_response(answer)
    except TypeError as error:
        raise BadAnswerError(f"{own.hook.name} returned {type(answer).__name__}, which is no JSON: {error}") from error
