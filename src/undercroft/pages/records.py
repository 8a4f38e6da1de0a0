"""Records as pages reach them: `records.terms.list(...)`, as the visitor and under the same rules as over HTTP.

Filters take their values apart from the text, as in
`records.terms.first("slug = {:slug}", slug=params.slug)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from undercroft.api.records import Also, Deleting, Saving, delete_record, save_record
from undercroft.collections.collection import Collection
from undercroft.errors import Problem, did_you_mean
from undercroft.http.body import Body
from undercroft.http.request import Request
from undercroft.http.upload import Upload
from undercroft.pages.timing import Stopwatch
from undercroft.query.bound import Bound
from undercroft.query.scope import Scope, system_scope
from undercroft.records.access import Access
from undercroft.records.read import ListParams, count_records, list_records, show_stored, view_record
from undercroft.records.rows import PageRecord, reader_of

DEFAULT_PER_PAGE: Final = 30


class NoSuchCollection(Problem):
    """A page asks for a collection that is not there."""

    code = "no_such_collection"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no collection {name!r}.{did_you_mean(name, list(known))}")


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of records; loop over it. `total` and `pages` are -1 unless they were asked for."""

    items: Sequence[PageRecord]
    page: int
    per_page: int
    total: int
    pages: int

    def __iter__(self) -> Iterator[PageRecord]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> PageRecord:
        return self.items[index]

    @property
    def previous(self) -> int:
        """The number of the page before; 0 when there is none."""
        return self.page - 1

    @property
    def next(self) -> int:
        """The number of the next page; 0 when there is none, as far as is known without a total."""
        has_more = self.page < self.pages if self.pages >= 0 else len(self.items) == self.per_page
        return self.page + 1 if has_more else 0


class Records:
    """The collections by name: `records.terms`, or `records["terms"]` for any name."""

    def __init__(self, http: Request, clock: Stopwatch, scope: Scope | None = None) -> None:
        self._http = http
        self._clock = clock
        self._scope = scope

    def __getattr__(self, name: str) -> CollectionRecords:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> CollectionRecords:
        catalog = self._http.backend.catalog
        collection = catalog.by_name(name)
        if collection is None:
            raise NoSuchCollection(name, [each.name for each in catalog])
        return CollectionRecords(self._http, self._clock, collection, self._scope)

    def as_system(self) -> Records:
        """The same collections without any rule, for what the visitor may not do by themselves."""
        return Records(self._http, self._clock, system_scope(self._http.backend.catalog))


class CollectionRecords:
    """The records of one collection, as the visitor (or the system) may read and write them.

    Every call may raise what the same request over HTTP is refused with: `SuperusersOnly`,
    `NotFound`, `Invalid` with an error a field, `FilterError`.
    """

    def __init__(self, http: Request, clock: Stopwatch, collection: Collection, scope: Scope | None) -> None:
        self.collection = collection
        self._http = http
        self._clock = clock
        self._scope = scope

    async def list(
        self,
        filter: str = "",  # noqa: A002 - the word of the whole API
        *,
        sort: str = "",
        expand: str = "",
        page: int | str = 1,
        per_page: int = DEFAULT_PER_PAGE,
        total: bool = False,
        **values: Bound,
    ) -> RecordPage:
        """A page of the records that may be listed; `total` counts them all.

        `values` stand for the placeholders of the filter. `page` may be text from a URL:
        what is no number from 1 on is page 1.
        """
        number = _page_number(page)
        return await self._list(ListParams(number, per_page, not total, filter, sort, expand, values=values))

    async def first(
        self,
        filter: str = "",  # noqa: A002 - the word of the whole API
        *,
        sort: str = "",
        expand: str = "",
        **values: Bound,
    ) -> PageRecord | None:
        """The first record that may be listed, or None."""
        params = ListParams(1, 1, skip_total=True, filter=filter, sort=sort, expand=expand, values=values)
        found = await self._list(params)
        return found[0] if found else None

    async def get(self, record_id: str, *, expand: str = "") -> PageRecord:
        """The record with that id. Raises `NotFound` when it is not there, or not for the visitor."""
        before = self._clock.turn_to("records")
        try:
            record: PageRecord = await view_record(self.access, self.collection, record_id, expand)
        finally:
            self._clock.turn_to(before)
        return record

    async def count(self, filter: str = "", **values: Bound) -> int:  # noqa: A002 - the word of the whole API
        """How many records may be listed."""
        before = self._clock.turn_to("records")
        try:
            return await count_records(self.access, self.collection, ListParams(filter=filter, values=values))
        finally:
            self._clock.turn_to(before)

    async def create(self, data: Mapping[str, Any] | None = None, /, **fields: Any) -> PageRecord:
        """A new record of these values; an `Upload` or a list of them is for a file field."""
        return await self.save(None, {**(data or {}), **fields})

    async def update(self, record_id: str, data: Mapping[str, Any] | None = None, /, **fields: Any) -> PageRecord:
        """A record with these values changed; `tags+` and `tags-` add and take away, as over HTTP."""
        return await self.save(record_id, {**(data or {}), **fields})

    async def save(self, record_id: str | None, data: Mapping[str, Any], also: Also | None = None) -> PageRecord:
        """Create (`record_id` None) or update a record, and show it as the visitor sees it.

        `also` is done in the same transaction.
        """
        files = {name: value for name, given in data.items() if (value := _uploads(given))}
        body = Body({name: value for name, value in data.items() if name not in files}, files)
        before, access = self._clock.turn_to("records"), self.access
        try:
            draft = await save_record(self._http, access, Saving(self.collection, record_id, body, also))
            record: PageRecord = await show_stored(access, self.collection, draft.columns())
        finally:
            self._clock.turn_to(before)
        return record

    async def delete(self, record_id: str) -> None:
        """Delete a record."""
        await delete_record(self._http, self.access, Deleting(self.collection, record_id))

    async def _list(self, params: ListParams) -> RecordPage:
        before = self._clock.turn_to("records")
        try:
            found = await list_records(self.access, self.collection, params)
        finally:
            self._clock.turn_to(before)
        return RecordPage(found.items, found.page, found.per_page, found.total_items, found.total_pages)

    @property
    def access(self) -> Access:
        """Who asks and how, for functions that take it."""
        backend = self._http.backend
        scope = self._scope or self._http.rule_scope()
        return Access(backend.engine.read, backend.plans, backend.catalog, scope, reader_of)


def _page_number(page: int | str) -> int:
    if isinstance(page, str):
        return int(page) if page.isascii() and page.isdigit() and len(page) < 10 and int(page) else 1
    return max(page, 1)


def _uploads(value: Any) -> list[Upload]:
    """The uploads of a value, when it is nothing else."""
    given = value if isinstance(value, list) else [value]
    return given if given and all(isinstance(each, Upload) for each in given) else []
