"""GET /api/collections/{collection}/aggregate: counts and sums of records."""

from __future__ import annotations

import msgspec

from undercroft.api.params import list_params
from undercroft.api.records import access_of, collection_of, read_body
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes
from undercroft.records.aggregate import SumParams, sum_records


async def aggregate(request: Request) -> Response:
    """GET /api/collections/{collection}/aggregate"""
    collection, query = collection_of(request), request.query
    await read_body(request, collection)
    params = SumParams(query.get("fields", ""), query.get("groupBy", ""), list_params(query))
    page = await sum_records(access_of(request), collection, params)
    response = json_bytes(msgspec.json.encode(page))
    response.is_picked = True  # `fields` names functions here
    return response
