"""From method and path to a route: a tree of path segments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any, Final
from urllib.parse import unquote

from undercroft.http.request import Request
from undercroft.http.response import Header, Response
from undercroft.middleware.authenticate import Demand
from undercroft.middleware.key_reach import Reach

Handler = Callable[[Request], Awaitable[Response]]
_UNCLEAN: Final = ("//", "/./", "/../")


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: `{name}` in the pattern stands for one segment of the path.

    `headers` go with every answer of it, those to bad requests included. One that `is_whole` changes
    things in a single transaction: nothing has happened when that was refused, and it may be tried again.
    `actions` are what rate limits call what is done there to the collection of the path. `reach` says
    which API keys lead there.
    """

    method: str
    pattern: str
    handler: Handler
    auth: Demand = "any"
    headers: tuple[Header, ...] = ()
    is_whole: bool = False
    actions: tuple[str, ...] = ()
    reach: Reach = "all"


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Router:
    """All routes. A literal segment wins over a named one, if a route of that method is behind it."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route and the named parts of the path, or None. `path` is as it came, still escaped."""
        segments = path.split("/")
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        values: list[str] = []
        found = _find(self._root, segments, 1, method, values)
        if found is None:
            return None
        route, names = found
        return route, dict(zip(names, values, strict=True))

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.pattern.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes[route.method] = route, tuple(names)


def _find(
    node: _Node, segments: list[str], at: int, method: str, values: list[str]
) -> tuple[Route, tuple[str, ...]] | None:
    if at == len(segments):
        return node.routes.get(method)
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _find(literal, segments, at + 1, method, values)
        if found is not None:
            return found
    if node.any is None or not segment:
        return None
    values.append(segment)
    found = _find(node.any, segments, at + 1, method, values)
    if found is None:
        values.pop()
    return found


def clean_path(path: str) -> str | None:
    """Where an unclean path leads: without doubled slashes and dot segments. None when it is clean."""
    if not any(mark in path for mark in _UNCLEAN) and not path.endswith(("/.", "/..")):
        return None
    cleaned = normpath("/" + path.lstrip("/"))
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned


def escaped_path(scope: Mapping[str, Any]) -> str:
    """The path of a request as it came, below the place where the app is mounted."""
    raw: bytes = scope.get("raw_path") or b""
    path: str = raw.partition(b"?")[0].decode("latin-1") if b"%" in raw else scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path
