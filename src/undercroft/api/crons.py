"""GET /api/crons and POST /api/crons/{id}: what is done at its times, and doing it now."""

from __future__ import annotations

from undercroft.errors import NotFound
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response, no_content
from undercroft.jobs.job import order
from undercroft.jobs.queue import enqueue


class NoSuchCron(NotFound):
    """There is no cron of that name."""

    code = "no_such_cron"
    default = "Missing or invalid cron job."


async def list_(request: Request) -> Response:
    """GET /api/crons"""
    crons = request.backend.jobs.crons()
    return json_response([{"id": cron.name, "expression": cron.expression} for cron in crons])


async def start(request: Request) -> Response:
    """POST /api/crons/{id}: do it now, in the background."""
    backend = request.backend
    cron = next((each for each in backend.jobs.crons() if each.name == request.params["id"]), None)
    if cron is None:
        raise NoSuchCron
    await backend.engine.write(lambda tx: enqueue(tx, backend.engine.dialect, order(cron, {})))
    return no_content()
