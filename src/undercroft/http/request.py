"""A request as handlers see it: a thin reading of an ASGI scope.

Made once a request and on the hot path, so everything that costs is lazy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from undercroft.http.body import Body, read_body
from undercroft.http.client_ip import client_ip
from undercroft.http.query import parse_query
from undercroft.http.upload import Intake
from undercroft.query.scope import Context, Identity, Scope

if TYPE_CHECKING:
    from undercroft.backend import Backend

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_HELD: Final = 1024 * 1024  # bytes of a body that may be read again


class Request:
    """One HTTP request. `params` are the named parts of its path, set by the router, and
    `route_headers` what every answer from there carries.

    `identity` is set by `middleware.authenticate` before a handler runs; `backend`
    holds the open resources; `id` is what logs call this request; `is_read` says that its
    body was read to the end.
    """

    def __init__(self, scope: Message, receive: Receive, backend: Backend) -> None:
        self.asgi = scope
        self.receive = receive
        self.backend = backend
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params: Mapping[str, str] = {}
        self.identity: Identity | None = None
        self.route_headers: Sequence[tuple[bytes, bytes]] = ()
        self.id = ""
        self.is_read = False
        self._heard: list[Message] = []
        self._size = 0

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Query parameters: the first value of each name."""
        raw: bytes = self.asgi["query_string"]
        return parse_query(raw) if raw else {}

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name; the first of each."""
        found: dict[str, str] = {}
        for name, value in self.asgi["headers"]:
            found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        return found

    def header(self, name: bytes) -> bytes | None:
        """One raw header by its lower-case name, without reading the others."""
        for key, value in self.asgi["headers"]:
            if key == name:
                raw: bytes = value
                return raw
        return None

    @cached_property
    def client_ip(self) -> str:
        """The caller's address, as trusted proxies tell it."""
        peer = self.asgi.get("client")
        proxy = self.backend.settings.trusted_proxy
        return client_ip(peer[0] if peer else "", self.asgi["headers"], proxy.headers, leftmost=proxy.use_leftmost_ip)

    async def body(self, limit: int, intake: Intake | None = None) -> Body:
        """The parsed body, at most `limit` bytes; see `read_body`."""
        return await read_body(self, limit, intake)

    async def hear(self) -> Message:
        """The next message of the body."""
        message = await self.receive()
        self._size += len(message.get("body", b""))
        if self._size <= _HELD:
            self._heard.append(message)
        else:
            self._heard.clear()
        return message

    def rewind(self) -> bool:
        """Be as if nothing of the request had been read; whether all that was read is still held."""
        if self._size > _HELD:
            return False
        self.receive, self._heard = _replaying(self._heard, self.receive), []
        self._size, self.is_read, self.identity = 0, False, None
        self.__dict__.pop("_default_scope", None)
        return True

    @property
    def leaves_body(self) -> bool:
        """Whether there is a body that nobody has read to its end."""
        if self.is_read:
            return False
        return self.header(b"content-length") not in (None, b"0") or self.header(b"transfer-encoding") is not None

    def rule_scope(self, context: Context = "default") -> Scope:
        """This request as rules see it."""
        if context != "default":
            return self._default_scope.within(context)
        return self._default_scope

    def guest_scope(self) -> Scope:
        """This request as rules see it as long as nobody knows who asks."""
        return Scope(None, "default", self.method, self.query, RuleHeaders(self))

    @cached_property
    def _default_scope(self) -> Scope:
        return Scope(self.identity, "default", self.method, self.query, RuleHeaders(self))

    @cached_property
    def rule_headers(self) -> Mapping[str, str]:
        """Headers by the names rules use: lower case, snake case, without Host."""
        return {name.replace("-", "_"): value for name, value in self.headers.items() if name != "host"}


def _replaying(heard: Sequence[Message], receive: Receive) -> Receive:
    waiting = list(heard)

    async def replay() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return replay


class RuleHeaders(Mapping[str, str]):
    """The headers of a request as rules name them; read when a rule first asks."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getitem__(self, name: str) -> str:
        return self._request.rule_headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._request.rule_headers)

    def __len__(self) -> int:
        return len(self._request.rule_headers)
