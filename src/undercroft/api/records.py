"""The record endpoints: list, view, create, update, delete."""

from __future__ import annotations

from asyncio import create_task, shield
from contextlib import closing
from typing import Final

import msgspec

from undercroft.api import explain
from undercroft.api.params import list_params
from undercroft.collections.collection import Collection
from undercroft.collections.fields.editor import EditorField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.json import JsonField
from undercroft.database.engine import Engine, Operation, T, Transaction
from undercroft.database.faults import OutcomeUnknown
from undercroft.errors import NotFound
from undercroft.http.body import DEFAULT_LIMIT, Body
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes, no_content
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.read import guard, list_records, selected_columns, show_stored, view_record
from undercroft.records.write import Writer, discard_staged, refuse_view

MIB: Final = 1024 * 1024
_DEFAULT_SIZES: Final = {"file": 5 * MIB, "editor": 5 * MIB, "json": MIB}
_encode = msgspec.json.Encoder().encode


async def list_(request: Request) -> Response:
    """GET /api/collections/{collection}/records"""
    collection = collection_of(request)
    await read_body(request, collection)
    if explain.is_wanted(request):
        return await explain.explained(request, "list", collection)
    params, access = list_params(request.query), access_of(request)
    page = await list_records(access, collection, params)
    response = json_bytes(_encode(page))
    response.is_picked = selected_columns(collection, params, access.scope) is not None
    return response


async def view(request: Request) -> Response:
    """GET /api/collections/{collection}/records/{id}"""
    collection = collection_of(request)
    await read_body(request, collection)
    if explain.is_wanted(request):
        return await explain.explained(request, "view", collection)
    expand = request.query.get("expand", "")
    record = await view_record(access_of(request), collection, record_id_of(request), expand)
    return json_bytes(_encode(record))


async def create(request: Request) -> Response:
    """POST /api/collections/{collection}/records"""
    return await _submit(request, None)


async def update(request: Request) -> Response:
    """PATCH /api/collections/{collection}/records/{id}"""
    return await _submit(request, record_id_of(request))


async def delete(request: Request) -> Response:
    """DELETE /api/collections/{collection}/records/{id}"""
    collection = collection_of(request)
    refuse_view(collection)
    await read_body(request, collection)
    await delete_record(request, access_of(request), collection, record_id_of(request))
    return no_content()


async def _submit(request: Request, record_id: str | None) -> Response:
    """Create (`record_id` None) or update, and show the outcome."""
    collection = collection_of(request)
    refuse_view(collection)
    body = await read_body(request, collection)
    work = _write(request, collection, record_id, body)
    # Files are moved and put back beside the database: that must not be left half done when the caller goes away.
    return await (shield(create_task(work)) if body.files else work)


async def _write(request: Request, collection: Collection, record_id: str | None, body: Body) -> Response:
    access = access_of(request)
    draft = await save_record(request, access, collection, record_id, body)
    record = await show_stored(access, collection, draft.columns(), request.query.get("expand", ""))
    return json_bytes(_encode(record))


async def save_record(
    request: Request, access: Access, collection: Collection, record_id: str | None, body: Body
) -> Draft:
    """Create (`record_id` None) or update a record as the caller of `access`; the record as it was stored."""
    backend = request.backend
    desk = Desk(access, backend.passwords, backend.intake)
    with closing(body):
        guard("create" if record_id is None else "update", collection, access.scope)
        prepared = await prepare_write(desk, collection, record_id, body.data, body.files)
    try:
        return await write_record(request, access, collection, record_id, prepared)
    finally:
        discard_staged(backend.intake, list(prepared.staged))


async def delete_record(request: Request, access: Access, collection: Collection, record_id: str) -> None:
    """Delete a record as the caller of `access`."""

    async def operation(transaction: Transaction) -> None:
        writer = Writer(access.through(transaction.run), transaction, request.backend.intake)
        await writer.delete(collection, record_id)

    guard("delete", collection, access.scope)
    await request.backend.engine.write(operation)


async def write_record(
    request: Request, access: Access, collection: Collection, record_id: str | None, prepared: Prepared
) -> Draft:
    """One create or update in a transaction of its own; the record as it was stored."""
    writers: list[Writer] = []

    async def operation(transaction: Transaction) -> Draft:
        undo_all(writers)  # an engine may try an operation more than once
        writer = Writer(access.through(transaction.run), transaction, request.backend.intake)
        writers.append(writer)
        if record_id is None:
            return await writer.create(collection, prepared)
        return await writer.update(collection, record_id, prepared)

    return await write_or_undo(request.backend.engine, operation, writers)


async def write_or_undo(engine: Engine, operation: Operation[T], writers: list[Writer]) -> T:
    """The result of an operation; when it failed, what its writers left beside the database is taken back."""
    try:
        return await engine.write(operation)
    except OutcomeUnknown:
        raise  # what was written may stand, and needs its files
    except Exception:  # who is cancelled does not know whether it was written
        undo_all(writers)
        raise


def undo_all(writers: list[Writer]) -> None:
    """Take back what tries that failed left beside the database."""
    while writers:
        writers.pop().undo()


def access_of(request: Request) -> Access:
    """Reading as the caller of a request."""
    backend = request.backend
    return Access(backend.engine.read, backend.plans, backend.catalog, request.rule_scope())


def collection_of(request: Request) -> Collection:
    """The collection that the path names. Raises `UnknownCollection`."""
    return request.backend.catalog.collection(request.params["collection"])


def record_id_of(request: Request) -> str:
    """The record id that the path names. Raises `NotFound` for text that no engine could hold as an id."""
    record_id = request.params["id"]
    if "\0" in record_id:
        raise NotFound
    return record_id


async def read_body(request: Request, collection: Collection) -> Body:
    """The submitted body; it may be as large as the collection's fields allow."""
    if request.method in ("GET", "HEAD") and request.header(b"content-type") is None:
        return Body()
    return await request.body(body_limit(collection))


def body_limit(collection: Collection) -> int:
    """Bytes a body may have: 32 MiB and what the large fields may hold."""
    known: int | None = collection.__dict__.get("_body_limit")
    if known is None:
        known = collection.__dict__["_body_limit"] = _body_limit(collection)
    return known


def _body_limit(collection: Collection) -> int:
    extra = 0
    for field in collection.fields:
        if isinstance(field, FileField | EditorField | JsonField):
            count = max(field.max_select, 1) if isinstance(field, FileField) else 1
            extra += (field.max_size or _DEFAULT_SIZES[field.type]) * count
    return DEFAULT_LIMIT + extra
