"""The edge: from an ASGI scope to the last byte of the answer, in plain calls.

No layers of wrapped applications: what every request needs is done here in
order, and what few need costs nothing to the others.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from time import perf_counter
from typing import Final, Protocol

import msgspec

from undercroft.api.mounts import Mounts
from undercroft.api.rates import check_rate
from undercroft.api.request_events import answer_with_hooks
from undercroft.api.router import Router, clean_path, escaped_path
from undercroft.backend import Backend
from undercroft.collections.catalog import Catalog
from undercroft.database.engine import SqlError
from undercroft.encryption.failures import DecryptionFailed
from undercroft.errors import NotFound, Problem, Unavailable
from undercroft.http.fields import parse_fields, pick
from undercroft.http.request import Message, Receive, Request, Send
from undercroft.http.response import JSON_TYPE, Response
from undercroft.keys.ring import STALE
from undercroft.middleware.authenticate import authenticate, check_demand
from undercroft.middleware.cors import Cors
from undercroft.middleware.errors import respond, respond_unexpected
from undercroft.middleware.freshness import Freshness
from undercroft.middleware.key_reach import check_reach
from undercroft.middleware.tracing import Tracer

_SAFE: Final = ("GET", "HEAD")
_OURS: Final = ("/api/", "/_/")
_REFUSED: Final = 400
_NO_HOST: Final = Response(
    400, b"400 Bad Request: missing required Host header", [(b"content-type", b"text/plain; charset=utf-8")]
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class NothingThere(NotFound):
    """No route leads to this path; GET would have found a file."""

    code = "nothing_there"

    def __init__(self, method: str) -> None:
        super().__init__("File not found." if method in _SAFE else "")


class CollectionsChanged(Unavailable):
    """A collection was changed while the request was on its way, which found another than it was made for."""

    code = "collections_changed"
    default = "A collection was changed at the same moment. Try again."


class Site(Protocol):
    """What answers at every path outside of the API; `pages.site.Site` is one."""

    async def answer(self, request: Request) -> Response:
        """The answer to a request. Raises what went wrong."""
        ...

    async def failed(self, request: Request, error: Exception) -> Response:
        """The answer that tells of what went wrong."""
        ...


class Edge:
    """Answers requests; one that is parting has each connection closed after its answer.

    So has a request that is refused before its body has come: nobody waits for the rest.
    Where there is a `site`, it has every path outside of `/api/` and `/_/`.
    """

    def __init__(self, backend: Backend, router: Router, cors: Cors, freshness: Freshness) -> None:
        self._backend = backend
        self.router = router
        self._cors = cors
        self._freshness = freshness
        self._tracer = Tracer()
        self.is_parting = False
        self.site: Site | None = None
        self.mounts: Mounts | None = None

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        request = Request(scope, receive, self._backend)
        request.id = self._tracer.name(request)
        began = perf_counter()
        response = await self._respond(request)
        common = (*self._cors.headers(request), *request.route_headers, (b"x-request-id", request.id.encode()))
        is_refused_unread = response.status >= _REFUSED and request.leaves_body
        if (self.is_parting or is_refused_unread) and scope["http_version"] != "2":
            common = (*common, (b"connection", b"close"))
        await response.send(send, common, without_body=request.method == "HEAD")
        if self._tracer.is_on:
            self._tracer.write(request, response, began)

    async def _respond(self, request: Request) -> Response:
        catalog, version = self._backend.catalog, self._backend.keyring.version
        try:
            return await self._handle(request)
        except STALE as problem:
            return await self._stale(request, problem, version)
        except Problem as problem:
            if isinstance(problem, SqlError) or isinstance(problem.__cause__, SqlError):
                return await self._refused(request, problem, catalog)
            return await self._tell(request, problem)
        except Exception as error:  # noqa: BLE001 - the one place where a fault of ours becomes an answer
            return await self._tell(request, error)

    async def _stale(self, request: Request, problem: Problem, version: int) -> Response:
        """The answer where keys were not known here: a request that only reads is handled again with newer ones."""
        keyring = self._backend.keyring
        try:
            await keyring.refresh()
            if keyring.version != version and request.method in _SAFE:
                return await self._handle(request)
        except Exception as error:  # noqa: BLE001 - as in `_respond`
            return await self._tell(request, error)
        return await self._tell(request, problem)

    async def _tell(self, request: Request, error: Exception) -> Response:
        """What tells of a problem or a fault: a page of the site, or the JSON of the API."""
        if isinstance(error, DecryptionFailed):
            self._backend.keyring.note_failure(error)
        if isinstance(error, Problem):
            request.asgi["undercroft.error"] = error.code  # for those who call us in-process; never on the wire
        if self.site is not None and _is_of_site(escaped_path(request.asgi)):
            return await self.site.failed(request, error)
        return respond(error, request.id) if isinstance(error, Problem) else respond_unexpected(error, request.id)

    async def _refused(self, request: Request, problem: Problem, catalog: Catalog) -> Response:
        """The answer where the database refused a statement: the collections may have changed beneath it.

        What was undone as a whole is then handled again, as they are by now.
        """
        with suppress(Problem):
            await self._freshness.catch_up()
        if self._backend.catalog is catalog:
            return await self._tell(request, problem)
        if not (self._may_repeat(request) and request.rewind()):
            return await self._tell(request, CollectionsChanged())
        try:
            return await self._handle(request)
        except SqlError:
            return await self._tell(request, CollectionsChanged())
        except Exception as error:  # noqa: BLE001 - as in `_respond`
            return await self._tell(request, error)

    def _may_repeat(self, request: Request) -> bool:
        """Whether nothing has come of a request that was refused, hooks included."""
        if request.method in _SAFE:
            return True
        found = self.router.find(request.method, escaped_path(request.asgi))
        return found is not None and found[0].is_whole and not self._backend.hooks.registry.moments

    async def _handle(self, request: Request) -> Response:
        method, path = request.method, escaped_path(request.asgi)
        if request.asgi["http_version"] == "1.1" and not request.header(b"host"):
            return _NO_HOST  # RFC 9112, 3.2
        if method == "OPTIONS":
            return await self._options(request, path)
        if self.mounts is not None and (mounted := self.mounts.find(request, path)) is not None:
            request.identity = await authenticate(request)
            check_rate(request)
            check_reach(request.identity, method)
            return mounted
        found = self.router.find("GET" if method == "HEAD" else method, path)
        if found is None:
            return await self._elsewhere(request, path)
        route, request.params = found
        request.route_headers = route.headers
        request.identity = identity = await authenticate(request)
        check_rate(request, route)
        if identity is not None and identity.is_superuser:
            await self._freshness.catch_up()
        if route.auth != "any":
            check_demand(identity, route.auth)
        check_reach(identity, method, route.reach)
        has_fields = b"fields=" in request.asgi["query_string"]
        if has_fields and method not in _SAFE:
            parse_fields(request.query.get("fields", ""))  # refused before anything is written
        has_hooks = bool(self._backend.hooks.registry.moments)
        response = await (answer_with_hooks(request, route) if has_hooks else route.handler(request))
        if identity is not None and request.header(b"authorization") is None:
            _keep_private(response)
        return _pick(request, response) if has_fields else response

    async def _options(self, request: Request, path: str) -> Response:
        """What may be asked from elsewhere, and what a route tells of itself."""
        response = self._cors.preflight(request)
        found = self.router.find("OPTIONS", path)
        if found is not None:
            request.route_headers = found[0].headers
            told = await found[0].handler(request)
            response.headers = [*response.headers, *told.headers]
        return response

    async def _elsewhere(self, request: Request, path: str) -> Response:
        """What no route leads to: the site has it, nobody has it, or it is to be asked for in another way."""
        cleaned = clean_path(path)
        if cleaned is None:
            if self.site is not None and _is_of_site(path):
                return await self.site.answer(request)
            raise NothingThere(request.method)
        query = request.asgi["query_string"].decode("latin-1")
        return _redirect(request.asgi.get("root_path", "") + cleaned + (f"?{query}" if query else ""))


def _is_of_site(path: str) -> bool:
    return not path.startswith(_OURS)


def _keep_private(response: Response) -> None:
    """Keep an answer to a cookie out of caches, which know by themselves only not to keep those to a token."""
    if all(name != b"cache-control" for name, _ in response.headers):
        response.headers = [*response.headers, (b"cache-control", b"private, no-store")]


def _pick(request: Request, response: Response) -> Response:
    """The answer with the fields that were asked for."""
    text = request.query.get("fields", "")
    if not text or response.is_picked or response.status >= 300 or JSON_TYPE not in response.headers:
        return response
    response.body = _encode(pick(_decode(response.body), parse_fields(text)))
    return response


def _redirect(location: str) -> Response:
    body = f'<a href="{escape(location)}">Temporary Redirect</a>.\n\n'.encode()
    target = location.encode("utf-8", "replace").translate(None, b"\r\n")
    return Response(307, body, [(b"content-type", b"text/html; charset=utf-8"), (b"location", target)])
