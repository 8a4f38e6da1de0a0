"""GET /api/encryption/work and what can be done about it: values of encrypted fields that are coming along."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.errors import BadRequest
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.records.resealings import (
    Move,
    Resealing,
    find_resealing,
    limit_resealing,
    list_resealings,
    move_resealing,
)


class BadWork(BadRequest):
    """What is to be changed about work on encrypted fields is not as it must be."""

    code = "bad_work"


class _Change(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    most_rows_per_second: Annotated[float, msgspec.Meta(ge=0)]


async def list_(request: Request) -> Response:
    """GET /api/encryption/work: what is to be done and then what was done last."""
    backend = request.backend
    rows = await list_resealings(backend.engine.read)
    return json_response([show_work(row, backend.catalog) for row in rows])


async def change(request: Request) -> Response:
    """PATCH /api/encryption/work/{id}: how many rows a second it may take. Raises `BadWork`, `NoSuchResealing`."""
    body = await request.body(DEFAULT_LIMIT)
    try:
        wanted = msgspec.convert(body.data, _Change, strict=False)
    except msgspec.ValidationError as error:
        raise BadWork(f"Say {{'mostRowsPerSecond': 500}}, or 0 for any number: {error}.") from error
    resealing_id, engine = request.params["id"], request.backend.engine
    most = wanted.most_rows_per_second
    await engine.write(lambda tx: limit_resealing(tx, engine.dialect, resealing_id, most))
    return await _shown(request)


async def pause(request: Request) -> Response:
    """POST /api/encryption/work/{id}/pause. Raises `NoSuchResealing` and `ResealingNotMoved`."""
    return await _move(request, "pause")


async def resume(request: Request) -> Response:
    """POST /api/encryption/work/{id}/resume. Raises `NoSuchResealing` and `ResealingNotMoved`."""
    return await _move(request, "resume")


async def _move(request: Request, move: Move) -> Response:
    resealing_id, dialect = request.params["id"], request.backend.engine.dialect
    actor = f"superuser {request.identity.id}" if request.identity else "server"

    await request.backend.engine.write(lambda tx: move_resealing(tx, dialect, resealing_id, move, actor))
    return await _shown(request)


async def _shown(request: Request) -> Response:
    backend = request.backend
    row = await find_resealing(backend.engine.read, request.params["id"])
    return json_response(show_work(row, backend.catalog))


def show_work(row: Resealing, catalog: Catalog) -> dict[str, Any]:
    """A row in the shape of the wire, with the names that things have by now."""
    collection = catalog.find(row.piece.collection)
    field = collection.by_id.get(row.piece.field) if collection is not None else None
    return {
        "id": row.id,
        "kind": row.piece.kind,
        "collectionId": row.piece.collection,
        "collectionName": collection.name if collection is not None else "",
        "fieldId": row.piece.field,
        "fieldName": field.name if field is not None else "",
        "number": row.piece.number,
        "state": row.state,
        "step": row.step,
        "total": row.total,
        "done": row.done,
        "rowsPerSecond": round(row.rate),
        "mostRowsPerSecond": row.most,
        "secondsLeft": None if row.seconds_left is None else round(row.seconds_left),
        "error": msgspec.to_builtins(row.trouble),
        "started": row.started,
        "updated": row.updated,
    }
