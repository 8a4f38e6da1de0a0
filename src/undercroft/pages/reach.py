"""How pages reach records: as the visitor, in transactions of their own, by the clock of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from undercroft.api.records import save_submitted
from undercroft.collections.collection import Collection
from undercroft.http.request import Request
from undercroft.pages.timing import Stopwatch
from undercroft.query.scope import Scope, system_scope
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.host import Work
from undercroft.records.reach import Values
from undercroft.records.rows import reader_of
from undercroft.records.saving import Also, Deleting, Saving, delete_record


class PageReach:
    """The reach of a visit; `also` is done in the transaction of every write."""

    def __init__(self, http: Request, clock: Stopwatch, scope: Scope | None = None, also: Also | None = None) -> None:
        self._http = http
        self._clock = clock
        self._scope = scope
        self._also = also

    @property
    def access(self) -> Access:
        """Who asks and how, for functions that take it."""
        backend = self._http.backend
        scope = self._scope or self._http.rule_scope()
        return Access.of(backend, scope, reader_of)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the time count for records."""
        before = self._clock.turn_to("records")
        try:
            yield
        finally:
            self._clock.turn_to(before)

    async def save(self, collection: Collection, record_id: str | None, values: Values) -> Draft:
        """Create (`record_id` None) or update a record."""
        saving = Saving(collection, record_id, values.data, values.files, self._also)
        return await save_submitted(self._http, self.access, saving)

    async def delete(self, collection: Collection, record_id: str) -> None:
        """Delete a record."""
        await delete_record(Work(self._http.backend, self._http), self.access, Deleting(collection, record_id))

    def as_system(self) -> PageReach:
        """The same, without any rule."""
        return PageReach(self._http, self._clock, system_scope(self._http.backend.catalog), self._also)
