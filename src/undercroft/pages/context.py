"""A visit to a page, as its script and its templates see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from undercroft.api.router import escaped_path
from undercroft.http.body import DEFAULT_LIMIT, Body
from undercroft.http.request import Request
from undercroft.http.response import Header
from undercroft.http.upload import Intake
from undercroft.ids import random_text
from undercroft.pages.reach import PageReach
from undercroft.pages.timing import Stopwatch
from undercroft.query.scope import Identity
from undercroft.records.reach import Records
from undercroft.records.rows import PageRecord, record_of
from undercroft.settings.settings import Meta

if TYPE_CHECKING:
    from undercroft.pages.routes import Page
    from undercroft.pages.storing import Stored
    from undercroft.pages.submissions import Failure

_NONCE: Final = 24
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,260}")
_SAFE: Final = ("GET", "HEAD")


class PageRequest:
    """A visit: what was asked, who asks, and what they may read and write.

    `http` is the request beneath; `page` the page that was found, `params` the named
    parts of its URL, `path` that URL as it was asked for; `clock` counts what it costs.
    `headers_to_send` go with the answer, whatever it is; `is_private` keeps it out of
    caches, as it is for everyone who is signed in. `failure` is what a form
    was refused for, which is drawn again; `stored` what the page does where one is stored.
    """

    def __init__(self, http: Request, page: Page, params: Mapping[str, str], clock: Stopwatch | None = None) -> None:
        self.http = http
        self.page = page
        self.params = params
        self.method = http.method
        self.path: str = http.asgi.get("root_path", "") + escaped_path(http.asgi)
        self.clock = clock or Stopwatch()
        self.headers_to_send: list[Header] = []
        self.is_private = http.identity is not None
        self.failure: Failure | None = None
        self.stored: Stored | None = None
        self._body: Body | None = None
        self._intake: Intake | None = None
        self._nonce = ""

    @property
    def id(self) -> str:
        """What the log calls this request."""
        return self.http.id

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL: the first value of each name."""
        return self.http.query

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name."""
        return self.http.headers

    @property
    def url(self) -> str:
        """The path and the query, as they came."""
        query = self.http.asgi["query_string"].decode("latin-1")
        return self.path + (f"?{query}" if query else "")

    @property
    def origin(self) -> str:
        """The beginning of whole URLs: from the settings, once it is set there, else as the visitor asked."""
        set_url = self.http.backend.settings.meta.app_url
        if set_url and set_url != Meta().app_url:
            return set_url.rstrip("/")
        host = (self.http.header(b"host") or b"").decode("latin-1")
        is_plain = _HOST.fullmatch(host) is not None
        return f"{self.http.asgi['scheme']}://{host if is_plain else 'localhost'}"

    @property
    def block(self) -> str:
        """The block of the page that htmx, or a script that speaks like it, asks for; empty for the whole page."""
        if self.http.header(b"hx-request") != b"true":
            return ""
        return self.query.get("_block", "")

    @property
    def identity(self) -> Identity | None:
        """Who asks; None is a guest."""
        return self.http.identity

    @cached_property
    def user(self) -> PageRecord | None:
        """The visitor's own record, as they may see it; None for a guest."""
        return record_of(self.http.identity) if self.http.identity is not None else None

    @cached_property
    def records(self) -> Records:
        """The collections, read and written as the visitor."""
        return Records(PageReach(self.http, self.clock))

    def become(self, identity: Identity | None) -> None:
        """Go on as somebody else, who has just signed in, or as a guest."""
        self.http.identity = identity
        self.is_private = True
        for known in (self.__dict__, self.http.__dict__):
            for name in ("user", "records", "_default_scope"):
                known.pop(name, None)

    async def body(self, limit: int = DEFAULT_LIMIT, intake: Intake | None = None) -> Body:
        """What was submitted, at most `limit` bytes: `texts` of a form, `data` of JSON too; read once.

        Files go to the intake and are gone when the page is answered; without one they are
        skipped. A GET submits nothing, whatever comes with it. Raises `TooLarge`, `BadBody`
        and `UnsupportedContentType`.
        """
        if self._body is None:
            self._intake = intake
            self._body = Body() if self.method in _SAFE else await self.http.body(limit, intake)
        return self._body

    async def form(self) -> Mapping[str, str]:
        """The fields of a submitted form: the first text of each name."""
        texts = (await self.body()).texts or {}
        return {name: values[0] for name, values in texts.items()}

    async def json(self) -> Mapping[str, Any]:
        """The JSON object that was submitted."""
        return (await self.body()).data

    def add_header(self, name: str, value: str) -> None:
        """Send a header with the answer. Raises `ValueError` for a line break in it."""
        if any(ord(letter) < 0x20 for letter in name + value):
            raise ValueError(name)
        self.headers_to_send.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    @property
    def nonce(self) -> str:
        """For the attribute `nonce` of a script or style that stands in the page; the policy then allows it."""
        if not self._nonce:
            self._nonce = random_text(_NONCE)
        return self._nonce

    @property
    def used_nonce(self) -> str:
        """The nonce if the page asked for one, else empty text."""
        return self._nonce

    async def close(self) -> None:
        """Let go of uploaded files that nobody took."""
        if self._body is not None and self._intake is not None:
            await self._intake.discard(self._body.uploads)
