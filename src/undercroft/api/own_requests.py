"""A request as the functions of a site's own routes see it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Executable

from undercroft.api.records import access_of
from undercroft.errors import BadRequest
from undercroft.http.body import read_bytes
from undercroft.http.request import Request
from undercroft.http.response import Header
from undercroft.jobs.job import Named
from undercroft.query.core import Tables
from undercroft.query.scope import Identity
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.reach import Records
from undercroft.records.rows import PageRecord, record_of
from undercroft.records.saving import Outside


class NotJson(BadRequest):
    """The body is no JSON."""

    code = "not_json"
    default = "The body must be JSON."


class RouteRequest:
    """A request: what was asked, who asks, and what they may read and write. `http` is the request beneath."""

    def __init__(self, http: Request, limit: int) -> None:
        self.http = http
        self.headers_to_send: list[Header] = []
        self._limit = limit
        self._body: bytes | None = None

    @property
    def id(self) -> str:
        """What the log calls this request."""
        return self.http.id

    @property
    def method(self) -> str:
        """GET, POST and so on, in upper case."""
        return self.http.method

    @property
    def path(self) -> str:
        """The path, as it was asked for."""
        return self.http.path

    @property
    def params(self) -> Mapping[str, str]:
        """The named parts of the path."""
        return self.http.params

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL: the first value of each name."""
        return self.http.query

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name."""
        return self.http.headers

    @property
    def client_ip(self) -> str:
        """The caller's address."""
        return self.http.client_ip

    @property
    def identity(self) -> Identity | None:
        """Who asks; None is a guest."""
        return self.http.identity

    @cached_property
    def user(self) -> PageRecord | None:
        """The caller's own record, as they may see it; None for a guest."""
        return record_of(self.http.identity) if self.http.identity is not None else None

    @property
    def records(self) -> Records:
        """All collections, as the caller may read and write them; `records.as_system()` for what they may not."""
        return self._event.records

    @property
    def tables(self) -> Tables:
        """The tables of the collections, for `sql`."""
        return self._event.tables

    async def sql(self, statement: Executable, **values: Any) -> list[dict[str, Any]]:
        """Run a statement of SQLAlchemy Core; its rows by column. No rule is asked."""
        return await self._event.sql(statement, **values)

    async def mail(self, to: str, subject: str, *, text: str = "", html: str = "", reply_to: str = "") -> None:
        """Send a letter. Raises `BadLetter`."""
        await self._event.mail(to, subject, text=text, html=html, reply_to=reply_to)

    async def enqueue(self, job: Named, /, delay: float = 0.0, **arguments: Any) -> str:
        """Have a job done in the background, in `delay` seconds or at once; its id. Raises `BadArguments`."""
        return await self._event.enqueue(job, delay, **arguments)

    async def body(self) -> bytes:
        """What was submitted, as it came. Raises `TooLarge`."""
        if self._body is None:
            self._body = await read_bytes(self.http, self._limit)
        return self._body

    async def json(self) -> Any:
        """The JSON that was submitted. Raises `NotJson` and `TooLarge`."""
        try:
            return msgspec.json.decode(await self.body())
        except msgspec.DecodeError as error:
            raise NotJson from error

    async def form(self) -> Mapping[str, str]:
        """The fields of a submitted form: the first text of each name. Raises `TooLarge`."""
        texts = (await self.http.body(self._limit)).texts or {}
        return {name: values[0] for name, values in texts.items()}

    def add_header(self, name: str, value: str) -> None:
        """Send a header with the answer."""
        self.headers_to_send.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    @cached_property
    def _event(self) -> SiteEvent:
        return SiteEvent(Outside(Work(self.http.backend, self.http), access_of(self.http)))
