"""GET /api/encryption/subjects and DELETE of one: people and tenants whose keys were erased."""

from __future__ import annotations

from typing import Any

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.encryption.receipts import Receipt
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.keys.erasures import list_erasures
from undercroft.records.erasing import erase_subject, find_scope


async def list_(request: Request) -> Response:
    """GET /api/encryption/subjects: who was erased, the last one first."""
    backend = request.backend
    found = await list_erasures(backend.engine.read)
    return json_response([show_erased(each.receipt, backend.catalog) for each in reversed(found)])


async def erase(request: Request) -> Response:
    """DELETE /api/encryption/subjects/{id}: erase a subject; the answer has the receipt.

    `collection` says whose record it is, where several collections have a record of that id.
    Raises `NoSuchSubject` and `SeveralSubjects`.
    """
    backend, engine = request.backend, request.backend.engine
    home = request.query.get("collection", "")
    scope = await find_scope(engine.read, engine.dialect, backend.catalog, request.params["id"], home)
    by = f"superuser {request.identity.id}" if request.identity else "server"
    receipt = await erase_subject(backend, scope, by)
    await backend.tombstones.keep(engine)
    return json_response(show_erased(receipt, backend.catalog))


def show_erased(receipt: Receipt, catalog: Catalog) -> dict[str, Any]:
    """An erasure in the shape of the wire, with the name that the collection has by now."""
    collection = catalog.find(receipt.collection) if receipt.collection else None
    return {
        "id": receipt.subject,
        "collectionId": receipt.collection,
        "collectionName": collection.name if collection is not None else "",
        "erased": receipt.at,
        "receipt": msgspec.to_builtins(receipt),
    }
