"""The collection endpoints: list, view, create, update, delete, truncate. For superusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from undercroft.api.collection_events import CollectionHooks, has_hooks
from undercroft.api.params import list_params
from undercroft.api.records import access_of
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.definitions import dump_definition
from undercroft.collections.fields.registry import BadDefinition
from undercroft.collections.store import Store, create_collection, delete_collection, update_collection
from undercroft.collections.stored import TABLE
from undercroft.database.dialect import ColumnKind
from undercroft.database.engine import Transaction
from undercroft.errors import NotFound
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.json_text import BadBody
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.query.flat import compile_flat
from undercroft.records.cascade import MOST_SECONDS
from undercroft.records.host import Work
from undercroft.records.rules import check_rule
from undercroft.records.saving import involved, transact
from undercroft.records.truncate import truncate
from undercroft.records.unit import Unit
from undercroft.records.write import Writer

_SEARCHABLE: Final[Mapping[str, ColumnKind]] = {
    "id": "text",
    "created": "date",
    "updated": "date",
    "name": "text",
    "system": "bool",
    "type": "text",
}
_AS_MADE: Final = "@rowid"


async def list_(request: Request) -> Response:
    """GET /api/collections"""
    engine, params = request.backend.engine, list_params(request.query)
    where, values, order = compile_flat(params.filter, params.sort or _AS_MADE, _SEARCHABLE, engine.dialect)
    rest = (f" WHERE {where}" if where else "") + f" ORDER BY {order}"
    ids = [str(found) for (found,) in await engine.read(f'SELECT "id" FROM "{TABLE}" AS "r"{rest}', values)]
    start = (params.page - 1) * params.per_page
    total = -1 if params.skip_total else len(ids)
    return json_response(
        {
            "items": _shown(request.backend.catalog, ids[start : start + params.per_page]),
            "page": params.page,
            "perPage": params.per_page,
            "totalItems": total,
            "totalPages": -(-total // params.per_page) if total > 0 else total,
        }
    )


async def view(request: Request) -> Response:
    """GET /api/collections/{collection}"""
    return json_response(dump_definition(find_collection(request)))


async def create(request: Request) -> Response:
    """POST /api/collections"""
    body = await _read_definition(request)
    return json_response(dump_definition(await create_collection(store_of(request), body)))


async def update(request: Request) -> Response:
    """PATCH /api/collections/{collection}"""
    collection = find_collection(request)
    body = await _read_definition(request)
    return json_response(dump_definition(await update_collection(store_of(request), collection.id, body)))


async def delete(request: Request) -> Response:
    """DELETE /api/collections/{collection}"""
    await delete_collection(store_of(request), find_collection(request).id)
    return no_content()


async def empty(request: Request) -> Response:
    """DELETE /api/collections/{collection}/truncate"""
    collection, access = find_collection(request), access_of(request)

    async def operation(transaction: Transaction, unit: Unit | None) -> None:
        writer = Writer(access.through(transaction.run), transaction, unit)
        await truncate(writer, collection)

    work = Work(request.backend, request)
    await transact(work, involved(work, ("delete", collection)), operation, seconds=MOST_SECONDS)
    return no_content()


def store_of(request: Request) -> Store:
    """Where the collections of a request are kept."""
    backend = request.backend

    def check(collection: Collection, rule: str, catalog: Catalog) -> str | None:
        return check_rule(collection, rule, catalog, backend.engine.dialect)

    hooks = CollectionHooks(request) if has_hooks(backend.hooks.registry) else None
    return Store(backend.engine, backend.catalogs, check, hooks)


def find_collection(request: Request) -> Collection:
    """The collection that the path names. Raises `NotFound`."""
    found = request.backend.catalog.find(request.params["collection"])
    if found is None:
        raise NotFound
    return found


def _shown(catalog: Catalog, ids: list[str]) -> list[dict[str, Any]]:
    found = (catalog.find(collection_id) for collection_id in ids)
    return [dump_definition(collection) for collection in found if collection]


async def _read_definition(request: Request) -> dict[str, Any]:
    try:
        return (await request.body(DEFAULT_LIMIT)).data
    except BadBody:
        raise BadDefinition from None
