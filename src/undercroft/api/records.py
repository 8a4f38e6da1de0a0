"""The record endpoints: list, view, create, update, delete."""

from __future__ import annotations

from asyncio import create_task, shield
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from undercroft.api import explain
from undercroft.api.params import list_params
from undercroft.api.upload_references import let_go, redeem
from undercroft.collections.collection import Collection
from undercroft.collections.fields.editor import EditorField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.json import JsonField
from undercroft.database.engine import Transaction
from undercroft.errors import NotFound
from undercroft.http.body import DEFAULT_LIMIT, Body, is_form_with_files
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes, no_content
from undercroft.records.access import Access
from undercroft.records.attachments import upload_limits
from undercroft.records.draft import Draft
from undercroft.records.judge import judge, refuse_view
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.read import guard, list_records, selected_columns, show_stored, view_record
from undercroft.records.write import Writer

MIB: Final = 1024 * 1024
_DEFAULT_SIZES: Final = {"file": 5 * MIB, "editor": 5 * MIB, "json": MIB}
Also = Callable[[Transaction, Draft], Awaitable[None]]
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
    collection, access = collection_of(request), access_of(request)
    refuse_view(collection)
    body = await read_submission(request, collection, record_id)
    draft = await save_record(request, access, Saving(collection, record_id, body))
    record = await show_stored(access, collection, draft.columns(), request.query.get("expand", ""))
    return json_bytes(_encode(record))


@dataclass(frozen=True, slots=True)
class Saving:
    """A record to be created (`record_id` None) or updated, with what was submitted for it.

    `also` is done in the same transaction, once the record is written; an engine may run it again.
    """

    collection: Collection
    record_id: str | None
    body: Body
    also: Also | None = None


async def save_record(request: Request, access: Access, saving: Saving) -> Draft:
    """Create or update a record as the caller of `access`; the record as it was stored.

    The files of the body are gone from where they waited, however this ends.
    """
    work = _save(request, access, saving)
    # Files are put and taken back beside the database: that is finished also when the caller goes away.
    return await (shield(create_task(work)) if saving.body.files else work)


async def _save(request: Request, access: Access, saving: Saving) -> Draft:
    body, record_id = saving.body, saving.record_id
    try:
        guard(_action(record_id), saving.collection, access.scope)
        desk = Desk(access, request.backend.passwords)
        prepared = await prepare_write(desk, saving.collection, record_id, body.data, body.files)
        return await _write(request, access, saving, prepared)
    finally:
        await let_go(request, body.uploads)


async def _write(request: Request, access: Access, saving: Saving, prepared: Prepared) -> Draft:
    """One create or update in a transaction of its own; the record as it was stored."""
    backend, collection, record_id = request.backend, saving.collection, saving.record_id

    async def operation(transaction: Transaction) -> Draft:
        writer = Writer(access.through(transaction.run), transaction)
        if record_id is None:
            draft = await writer.create(collection, prepared)
        else:
            draft = await writer.update(collection, record_id, prepared)
        if saving.also is not None:
            await saving.also(transaction, draft)
        return draft

    if prepared.placed:
        await judge(access, collection, record_id, prepared)
    async with backend.filing.holding(prepared.placed):
        return await backend.engine.write(operation)


async def delete_record(request: Request, access: Access, collection: Collection, record_id: str) -> None:
    """Delete a record as the caller of `access`."""
    guard("delete", collection, access.scope)
    backend = request.backend

    async def operation(transaction: Transaction) -> None:
        await Writer(access.through(transaction.run), transaction).delete(collection, record_id)

    await backend.engine.write(operation)


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


def _action(record_id: str | None) -> Literal["create", "update"]:
    return "create" if record_id is None else "update"


async def read_submission(request: Request, collection: Collection, record_id: str | None) -> Body:
    """What was submitted for a create (`record_id` None) or update; its files wait for `save_record`.

    Who may not write at all is refused before a large body has come. Raises `SuperusersOnly`.
    """
    if not is_form_with_files(request):
        body = await read_body(request, collection)
        guard(_action(record_id), collection, request.rule_scope())
        return await redeem(request, collection, body)
    guard(_action(record_id), collection, request.rule_scope())
    intake = request.backend.staging.intake(upload_limits(collection).get)
    return await redeem(request, collection, await request.body(body_limit(collection), intake))


async def read_body(request: Request, collection: Collection) -> Body:
    """The submitted body, without files; it may be as large as the collection's fields allow."""
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
