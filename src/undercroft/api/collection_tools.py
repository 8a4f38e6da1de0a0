"""What superusers have beside the collections themselves: import, scaffolds, providers, trying a view."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from undercroft import ids
from undercroft.api.auth.context import read_form
from undercroft.api.collections import store_of
from undercroft.collections.collection import Collection
from undercroft.collections.definitions import dump_definition
from undercroft.collections.fields.registry import dump_field
from undercroft.collections.providers import list_providers
from undercroft.collections.scaffolds import scaffold, system_indexes
from undercroft.collections.store import dry_run_view, import_collections
from undercroft.collections.tables import select_view
from undercroft.collections.view_shape import ViewShape
from undercroft.collections.views import plain_query, spell_view
from undercroft.errors import REQUIRED, BadRequest, FieldError, Invalid
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes, json_response, no_content
from undercroft.records.codec import Record, codec_of

LONGEST_QUERY: Final = 5000
_SAMPLE: Final = 10
_TOO_LONG: Final = FieldError(
    "validation_length_too_long",
    f"The length must be no more than {LONGEST_QUERY}.",
    {"min": 0, "max": LONGEST_QUERY},
)
_encode = msgspec.json.Encoder().encode


class BadViewQuery(BadRequest):
    """The query cannot be a view."""

    code = "bad_view_query"


class ImportForm(msgspec.Struct, frozen=True, rename="camel"):
    """Definitions to save together."""

    collections: list[dict[str, Any]] | None = None
    delete_missing: bool | None = None


class ViewForm(msgspec.Struct, frozen=True):
    """A query to try as a view."""

    query: str = ""


async def import_(request: Request) -> Response:
    """PUT /api/collections/import"""
    form = await read_form(request, ImportForm)
    if not form.collections:
        raise Invalid({"collections": REQUIRED})
    await import_collections(store_of(request), form.collections, delete_missing=bool(form.delete_missing))
    return no_content()


async def scaffolds(request: Request) -> Response:
    """GET /api/collections/meta/scaffolds"""
    del request
    auth = scaffold("auth")
    auth = replace(auth, indexes=tuple(system_indexes(ids.random_text(10), "").values()))
    blank = {"auth": auth, "base": scaffold("base"), "view": scaffold("view")}
    return json_response({kind: dump_definition(collection) for kind, collection in blank.items()})


async def providers(request: Request) -> Response:
    """GET /api/collections/meta/oauth2-providers"""
    del request
    return json_response(list_providers())


async def dry_run(request: Request) -> Response:
    """POST /api/collections/meta/dry-run-view"""
    form = await read_form(request, ViewForm)
    if not form.query.strip():
        raise Invalid({"query": REQUIRED})
    if len(form.query) > LONGEST_QUERY:
        raise Invalid({"query": _TOO_LONG})
    shape = await dry_run_view(request.backend.engine, request.backend.catalog, form.query)
    if shape.reason:
        raise BadViewQuery(f"Invalid view query. Raw error: {shape.reason}")
    fields = [dump_field(field) for field in shape.fields]
    return json_bytes(_encode({"fields": fields, "sample": await _sample(request, shape, form.query)}))


async def _sample(request: Request, shape: ViewShape, query: str) -> list[Record]:
    """The first records the view would have."""
    name = f"temp_view_{ids.random_text(5)}"
    view = Collection(id=ids.collection_id("view", name), name=name, type="view", fields=shape.fields)
    engine, names = request.backend.engine, tuple(field.name for field in shape.fields)
    spelled = spell_view(plain_query(query), request.backend.catalog, engine.dialect)
    sql = select_view(view, spelled, engine.dialect, casts_id=shape.casts_id)
    rows = await engine.read(engine.dialect.first_rows(sql, _SAMPLE))
    return [codec_of(view, names).from_row(row) for row in rows]
