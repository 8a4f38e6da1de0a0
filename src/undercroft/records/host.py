"""What work on records stands on, apart from who asks: an open backend is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from undercroft.hooks.hooks import Hooks
from undercroft.query.scope import Identity
from undercroft.records.access import Data
from undercroft.records.filing import Filing
from undercroft.records.prepare import Hasher
from undercroft.settings.settings import Settings


class Host(Data, Protocol):
    """A database with collections, settings and hooks."""

    @property
    def settings(self) -> Settings: ...

    @property
    def passwords(self) -> Hasher: ...

    @property
    def counted_passwords(self) -> Hasher: ...

    @property
    def filing(self) -> Filing: ...

    @property
    def hooks(self) -> Hooks: ...


class Asked(Protocol):
    """A request, as hooks see it: what was asked, from where, by whom (`identity` None: a guest)."""

    @property
    def id(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def query(self) -> Mapping[str, str]: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def client_ip(self) -> str: ...

    @property
    def identity(self) -> Identity | None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """Work that is done for a request, or, without one, by the program itself."""

    host: Host
    request: Asked | None = None

    @property
    def about(self) -> str:
        """What the log says it was for."""
        return f" in request {self.request.id}" if self.request is not None else ""
