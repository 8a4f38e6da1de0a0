"""Records as code of a site reaches them: `records.terms.list(...)`, under the rules of whoever asks.

Filters take their values apart from the text, as in
`records.terms.first("slug = {:slug}", slug=params.slug)`. How records are read and written,
as whom and in which transaction, is said by a `Reach`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from undercroft.collections.collection import Collection
from undercroft.errors import Problem, did_you_mean
from undercroft.http.upload import Upload
from undercroft.query.bound import Bound
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.read import ListParams, count_records, list_records, show_stored, view_record
from undercroft.records.rows import PageRecord

DEFAULT_PER_PAGE: Final = 30


class NoSuchCollection(Problem):
    """The code of a site asks for a collection that is not there."""

    code = "no_such_collection"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no collection {name!r}.{did_you_mean(name, list(known))}")


@dataclass(frozen=True, slots=True)
class Values:
    """What a record is to be made of: values by field, and uploads by field."""

    data: Mapping[str, Any]
    files: Mapping[str, Sequence[Upload]]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Values:
        """Take the uploads apart from the other values."""
        files = {name: uploads for name, value in given.items() if (uploads := _uploads(value))}
        return cls({name: value for name, value in given.items() if name not in files}, files)


class Reach(Protocol):
    """How records are reached. `access` makes `PageRecord`s of rows."""

    @property
    def access(self) -> Access: ...

    def working(self) -> AbstractContextManager[None]:
        """What is done in its block is work on records, for those who count the time."""
        ...

    async def save(self, collection: Collection, record_id: str | None, values: Values) -> Draft:
        """Create (`record_id` None) or update a record."""
        ...

    async def delete(self, collection: Collection, record_id: str) -> None:
        """Delete a record."""
        ...

    def as_system(self) -> Reach:
        """The same, without any rule."""
        ...


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

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def __getattr__(self, name: str) -> CollectionRecords:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> CollectionRecords:
        catalog = self._reach.access.catalog
        collection = catalog.by_name(name)
        if collection is None:
            raise NoSuchCollection(name, [each.name for each in catalog])
        return CollectionRecords(self._reach, collection)

    def as_system(self) -> Records:
        """The same collections without any rule, for what the caller may not do by themselves."""
        return Records(self._reach.as_system())


class CollectionRecords:
    """The records of one collection, as the caller (or the system) may read and write them.

    Every call may raise what the same request over HTTP is refused with: `SuperusersOnly`,
    `NotFound`, `Invalid` with an error a field, `FilterError`.
    """

    def __init__(self, reach: Reach, collection: Collection) -> None:
        self.collection = collection
        self.reach = reach

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
        """The record with that id. Raises `NotFound` when it is not there, or not for the caller."""
        with self.reach.working():
            record: PageRecord = await view_record(self.reach.access, self.collection, record_id, expand)
        return record

    async def count(self, filter: str = "", **values: Bound) -> int:  # noqa: A002 - the word of the whole API
        """How many records may be listed."""
        with self.reach.working():
            return await count_records(self.reach.access, self.collection, ListParams(filter=filter, values=values))

    async def create(self, data: Mapping[str, Any] | None = None, /, **fields: Any) -> PageRecord:
        """A new record of these values; an `Upload` or a list of them is for a file field."""
        return await self.save(None, {**(data or {}), **fields})

    async def update(self, record_id: str, data: Mapping[str, Any] | None = None, /, **fields: Any) -> PageRecord:
        """A record with these values changed; `tags+` and `tags-` add and take away, as over HTTP."""
        return await self.save(record_id, {**(data or {}), **fields})

    async def save(self, record_id: str | None, data: Mapping[str, Any]) -> PageRecord:
        """Create (`record_id` None) or update a record, and show it as the caller sees it."""
        with self.reach.working():
            draft = await self.reach.save(self.collection, record_id, Values.of(data))
            record: PageRecord = await show_stored(self.reach.access, self.collection, draft.columns())
        return record

    async def delete(self, record_id: str) -> None:
        """Delete a record."""
        with self.reach.working():
            await self.reach.delete(self.collection, record_id)

    async def _list(self, params: ListParams) -> RecordPage:
        with self.reach.working():
            found = await list_records(self.reach.access, self.collection, params)
        return RecordPage(found.items, found.page, found.per_page, found.total_items, found.total_pages)


def _page_number(page: int | str) -> int:
    if isinstance(page, str):
        return int(page) if page.isascii() and page.isdigit() and len(page) < 10 and int(page) else 1
    return max(page, 1)


def _uploads(value: Any) -> list[Upload]:
    """The uploads of a value, when it is nothing else."""
    given = value if isinstance(value, list) else [value]
    return given if given and all(isinstance(each, Upload) for each in given) else []
