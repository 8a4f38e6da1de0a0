"""The record endpoints: list, view, create, update, delete."""

from __future__ import annotations

from asyncio import create_task, shield
from dataclasses import replace
from typing import Final, Literal

import msgspec

from undercroft.api import explain
from undercroft.api.conditions import condition_of, show_read, show_written
from undercroft.api.once import answer_once
from undercroft.api.params import list_params
from undercroft.api.upload_references import let_go, redeem
from undercroft.collections.collection import Collection
from undercroft.collections.fields.editor import EditorField
from undercroft.collections.fields.json import JsonField
from undercroft.database.engine import Transaction
from undercroft.errors import NotFound
from undercroft.http.body import DEFAULT_LIMIT, Body, is_form_with_files
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes, no_content
from undercroft.records.access import Access
from undercroft.records.answered import Answer, Mark, keep_answer
from undercroft.records.attachments import DEFAULT_MAX_SIZE, wanted_files
from undercroft.records.draft import Draft
from undercroft.records.enrich import is_enriched, render, render_json
from undercroft.records.host import Work
from undercroft.records.judge import refuse_view
from undercroft.records.read import guard, list_records, selected_columns, show_stored, view_record
from undercroft.records.saving import Deleting, Saving, delete_record, save_record

MIB: Final = 1024 * 1024
_DEFAULT_SIZES: Final = {"editor": 5 * MIB, "json": MIB}
_encode = msgspec.json.Encoder().encode


async def list_(request: Request) -> Response:
    """GET /api/collections/{collection}/records"""
    collection = collection_of(request)
    await read_body(request, collection)
    if explain.is_wanted(request):
        return await explain.explained(request, "list", collection)
    params, access, work = list_params(request.query), access_of(request), Work(request.backend, request)
    if is_enriched(work, collection):
        params = replace(params, keys=None)
    page = await list_records(access, collection, params)
    response = json_bytes(await render(work, access, page))
    response.is_picked = selected_columns(collection, params, access.scope) is not None
    return response


async def view(request: Request) -> Response:
    """GET /api/collections/{collection}/records/{id}"""
    collection = collection_of(request)
    await read_body(request, collection)
    if explain.is_wanted(request):
        return await explain.explained(request, "view", collection)
    expand, access, work = request.query.get("expand", ""), access_of(request), Work(request.backend, request)
    record = await view_record(access, collection, record_id_of(request), expand)
    if expand or is_enriched(work, collection):
        return json_bytes(await render(work, access, record))
    return show_read(request, _encode(record))


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
    body = await read_body(request, collection)
    return await answer_once(request, body, lambda mark: _delete(request, collection, mark))


async def _delete(request: Request, collection: Collection, mark: Mark | None) -> Response:
    access, record_id = access_of(request), record_id_of(request)
    condition = condition_of(request, access, collection, record_id)

    async def also(tx: Transaction) -> None:
        if condition is not None:
            condition.hold()
        if mark is not None:
            await keep_answer(tx, access.dialect, mark, Answer(204, ""))

    first = condition.look if condition else None
    await delete_record(Work(request.backend, request), access, Deleting(collection, record_id, first, also))
    return no_content()


async def _submit(request: Request, record_id: str | None) -> Response:
    """Create (`record_id` None) or update, and show the outcome."""
    collection = collection_of(request)
    refuse_view(collection)
    body = await receive_submission(request, collection, record_id)
    work = _answer(request, record_id, body)
    # Files are put and taken back beside the database: that is finished also when the caller goes away.
    return await (shield(create_task(work)) if body.files else work)


async def _answer(request: Request, record_id: str | None, body: Body) -> Response:
    try:
        return await answer_once(request, body, lambda mark: _save_and_show(request, record_id, body, mark))
    finally:
        await request.backend.staging.discard(body.uploads)


async def _save_and_show(request: Request, record_id: str | None, submitted: Body, mark: Mark | None) -> Response:
    collection, access = collection_of(request), access_of(request)
    expand, kept = request.query.get("expand", ""), b""
    condition = condition_of(request, access, collection, record_id)

    async def also(tx: Transaction, draft: Draft) -> None:
        nonlocal kept
        if condition is not None:
            condition.hold()
        if mark is not None:
            kept = _encode(await show_stored(access.through(tx.run), collection, draft.columns(), expand))
            await keep_answer(tx, access.dialect, mark, Answer(200, kept.decode()))

    body = await redeem(request, collection, submitted)
    saving = Saving(collection, record_id, body.data, body.files, also, condition.look if condition else None)
    draft = await save_submitted(request, access, saving)
    shown = kept or _encode(await show_stored(access, collection, draft.columns(), expand))
    work = Work(request.backend, request)
    if expand or is_enriched(work, collection):
        return json_bytes(await render_json(work, access, shown))
    return show_written(collection, shown)


async def save_submitted(request: Request, access: Access, saving: Saving) -> Draft:
    """Create or update a record as the caller of `access`; the record as it was stored.

    Its files are gone from where they waited, however this ends.
    """
    work = _save(request, access, saving)
    # Files are put and taken back beside the database: that is finished also when the caller goes away.
    return await (shield(create_task(work)) if saving.files else work)


async def _save(request: Request, access: Access, saving: Saving) -> Draft:
    try:
        return await save_record(Work(request.backend, request), access, saving)
    finally:
        await let_go(request, [upload for uploads in saving.files.values() for upload in uploads])


def access_of(request: Request) -> Access:
    """Reading as the caller of a request."""
    backend = request.backend
    return Access.of(backend, request.rule_scope())


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
    """What was submitted for a create (`record_id` None) or update; its files wait for `save_submitted`.

    Who may not write at all is refused before a large body has come. Raises `SuperusersOnly`.
    """
    return await redeem(request, collection, await receive_submission(request, collection, record_id))


async def receive_submission(request: Request, collection: Collection, record_id: str | None) -> Body:
    """What was submitted, with references to uploads as they came. Raises `SuperusersOnly`."""
    if not is_form_with_files(request):
        body = await read_body(request, collection)
        guard(_action(record_id), collection, request.rule_scope())
        return body
    guard(_action(record_id), collection, request.rule_scope())
    intake = request.backend.staging.intake(wanted_files(collection).get)
    return await request.body(form_limit(collection), intake)


async def read_body(request: Request, collection: Collection) -> Body:
    """The submitted body, without files; it is held in memory, so files add nothing to what it may have."""
    if request.method in ("GET", "HEAD") and request.header(b"content-type") is None:
        return Body()
    return await request.body(body_limit(collection))


def form_limit(collection: Collection) -> int:
    """Bytes a form with files may have: what any body may, and the files."""
    files = sum((field.max_size or DEFAULT_MAX_SIZE) * max(field.max_select, 1) for field in collection.file_fields)
    return body_limit(collection) + files


def body_limit(collection: Collection) -> int:
    """Bytes a body without files may have: 32 MiB and what the large fields may hold."""
    known: int | None = collection.__dict__.get("_body_limit")
    if known is None:
        large = (field for field in collection.fields if isinstance(field, EditorField | JsonField))
        extra = sum(field.max_size or _DEFAULT_SIZES[field.type] for field in large)
        known = collection.__dict__["_body_limit"] = DEFAULT_LIMIT + extra
    return known
