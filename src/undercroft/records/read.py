"""Reading records as a caller may see them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from undercroft.collections.collection import Action, Collection
from undercroft.database.engine import Row, Value
from undercroft.errors import NotFound
from undercroft.query.bound import Bound
from undercroft.query.errors import FilterError, FilterTooLarge, SuperuserFilter, SuperusersOnly
from undercroft.query.lexer import lex, original_offset
from undercroft.query.parser import MAX_CLIENT_BYTES
from undercroft.query.scope import Scope
from undercroft.query.selects import Question, visible_columns
from undercroft.query.sort import SortKey, parse_sort
from undercroft.records.access import Access
from undercroft.records.cipher import open_rows
from undercroft.records.codec import PLAIN, Record
from undercroft.records.expand import ExpandTooLarge, expand_records
from undercroft.records.loaded import Loaded, Reader

T = TypeVar("T")
_PRIVATE = ("@request.", "@collection.")
_READING = ("list", "view")


@dataclass(frozen=True, slots=True)
class ListParams:
    """What a list request asks for. `page` counts from 1."""

    page: int = 1
    per_page: int = 30
    skip_total: bool = False
    filter: str = ""
    sort: str = ""
    expand: str = ""
    keys: frozenset[str] | None = None
    """The keys that are wanted of each record, None for all; only without `expand`."""
    values: Mapping[str, Bound] | None = None
    """What stands for the placeholders of the filter; None when it has none, as over HTTP."""


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A page of records, in the shape of the wire. Totals are -1 when they were not counted."""

    items: Sequence[Record]
    page: int
    per_page: int
    total_items: int
    total_pages: int


async def list_records(access: Access, collection: Collection, params: ListParams) -> Page:
    """A page of the records the caller may list.

    Raises `SuperusersOnly`, `SuperuserFilter`, `FilterError` and `SortError`.
    """
    rule = guard("list", collection, access.scope)
    asked = Asked(params, access.scope)
    wanted = selected_columns(collection, params, access.scope)
    question = Question("page", collection.id, rule, asked.shape, asked.sort, columns=wanted)
    limits: dict[str, Value] = {"limit": params.per_page, "offset": (params.page - 1) * params.per_page}
    plain = PLAIN if wanted is None or params.keys is None else tuple(key for key in PLAIN if key in params.keys)
    loaded = await asked.reporting(_load(access, collection, question, asked.literals, limits, plain=plain))
    total = -1
    if not params.skip_total:
        total = await _count(access, question, asked.literals, loaded, params)
    await expand_records(access, loaded, params.expand)
    pages = -(-total // params.per_page) if total > 0 else total
    return Page(loaded.records, params.page, params.per_page, total, pages)


async def view_record(access: Access, collection: Collection, record_id: str, expand: str = "") -> Record:
    """One record. Raises `NotFound` when it is not there or the view rule hides it, and `SuperusersOnly`."""
    rule = guard("view", collection, access.scope)
    return await show_record(access, collection, record_id, expand, rule)


async def show_record(
    access: Access, collection: Collection, record_id: str, expand: str = "", rule: str | None = None
) -> Record:
    """One record as the caller sees it, under the given rule (None: no rule). Raises `NotFound`."""
    loaded = await _load(access, collection, Question("one", collection.id, rule), (), {"id": record_id})
    if not loaded.records:
        raise NotFound
    await expand_records(access, loaded, expand)
    return loaded.records[0]


async def show_stored(access: Access, collection: Collection, columns: Mapping[str, Value], expand: str = "") -> Record:
    """A record that was just stored, as the caller sees it, without reading it again.

    Only accounts are read again: who sees their address is for the database to say.
    An expand that is too large is left out, for the record is stored already.
    """
    if collection.is_auth:
        return await _show_account(access, collection, str(columns["id"]), expand)
    names = visible_columns(collection, is_superuser=access.scope.is_superuser)
    loaded = load_rows(access.reader_of(collection, names), [tuple(columns[name] for name in names)])
    with suppress(ExpandTooLarge):
        await expand_records(access, loaded, expand)
    return loaded.records[0]


async def _show_account(access: Access, collection: Collection, record_id: str, expand: str) -> Record:
    try:
        return await show_record(access, collection, record_id, expand)
    except ExpandTooLarge:
        return await show_record(access, collection, record_id)


def guard(action: Action, collection: Collection, scope: Scope) -> str | None:
    """The rule that applies to a caller: None for superusers.

    Raises `SuperusersOnly` for a null rule, and `ScopeMissing` and `NotWithKey` for what an API key does not cover.
    """
    identity = scope.identity
    if identity is not None:
        if identity.grant is not None:
            identity.grant.check(collection, "read" if action in _READING else "write")
        if identity.is_superuser:
            return None
    rule = collection.rule(action)
    if rule is None:
        raise SuperusersOnly
    return rule or None


async def _load(
    access: Access,
    collection: Collection,
    question: Question,
    literals: Sequence[str | float],
    named: Mapping[str, Value],
    *,
    plain: tuple[str, ...] = PLAIN,
) -> Loaded:
    plan = await access.plan(question)
    rows = await access.run(plan.sql, plan.values(access.scope, literals, named))
    opened = await open_rows(access.run, collection, plan.columns, rows)
    return load_rows(access.reader_of(collection, plan.columns, plain), opened)


def selected_columns(collection: Collection, params: ListParams, scope: Scope) -> tuple[str, ...] | None:
    """The columns to select when only some keys are wanted; None selects what the caller may see."""
    if params.keys is None or params.expand:
        return None
    visible = visible_columns(collection, is_superuser=scope.is_superuser)
    wanted = tuple(name for name in visible if name in params.keys)
    if "id" not in wanted and not collection.sealed_names.isdisjoint(wanted):
        return None  # cells open only where their record is known
    return wanted or None


def load_rows(codec: Reader, rows: list[Row]) -> Loaded:
    """Records of rows, with the rows beside them."""
    return Loaded(codec, rows, [codec.from_row(row) for row in rows])


async def _count(
    access: Access, question: Question, literals: Sequence[str | float], loaded: Loaded, params: ListParams
) -> int:
    """How many records there are on all pages; known without asking when the last page is at hand."""
    found = len(loaded.records)
    if found < params.per_page and (found or params.page == 1):
        return (params.page - 1) * params.per_page + found
    counting = Question("count", question.collection, question.rule, question.shape, question.sort)
    return await _run_count(access, counting, literals)


async def _run_count(access: Access, counting: Question, literals: Sequence[str | float]) -> int:
    plan = await access.plan(counting)
    rows = await access.run(plan.sql, plan.values(access.scope, literals))
    total: Any = rows[0][0]
    return int(total)


class Asked:
    """The caller's filter and sort, taken apart."""

    def __init__(self, params: ListParams, scope: Scope) -> None:
        self.text = params.filter
        self._values = params.values
        if not scope.is_superuser and (params.filter or params.sort):
            _refuse_private(params)
        self.sort: tuple[SortKey, ...] = parse_sort(params.sort) if params.sort else ()
        self.shape: str | None = None
        self.literals: tuple[str | float, ...] = ()
        if params.filter:
            if len(params.filter.encode(errors="replace")) > MAX_CLIENT_BYTES:
                raise FilterTooLarge(f"The filter is longer than {MAX_CLIENT_BYTES} bytes")
            lexed = lex(params.filter, params.values)
            self.shape, self.literals = lexed.shape, lexed.literals

    async def reporting(self, loading: Awaitable[T]) -> T:
        """The outcome of a load, its errors placed in the caller's text instead of the shape."""
        try:
            return await loading
        except FilterError as error:
            at = original_offset(self.text, error.at, self._values) if error.at >= 0 else -1
            raise error.moved(at) from None


async def count_records(access: Access, collection: Collection, params: ListParams) -> int:
    """How many records the caller may list. Raises what `list_records` raises."""
    rule = guard("list", collection, access.scope)
    asked = Asked(params, access.scope)
    question = Question("count", collection.id, rule, asked.shape)
    return await asked.reporting(_run_count(access, question, asked.literals))


def _refuse_private(params: ListParams) -> None:
    for prefix in _PRIVATE:
        if prefix in params.filter or prefix in params.sort:
            raise SuperuserFilter(prefix)
