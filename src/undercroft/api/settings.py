"""GET and PATCH /api/settings: for superusers."""

from __future__ import annotations

from typing import Any

from undercroft.http.body import DEFAULT_LIMIT, Body
from undercroft.http.json_text import BadBody
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.settings.merge import BadSettings, merge, nest
from undercroft.settings.settings import public
from undercroft.settings.store import change_settings


async def read(request: Request) -> Response:
    """All settings but the secrets."""
    return json_response(public(request.backend.settings))


async def change(request: Request) -> Response:
    """What is set after the change. Raises `BadSettings` and `InvalidSettings`."""
    backend = request.backend
    try:
        body = await request.body(DEFAULT_LIMIT)
    except BadBody:
        raise BadSettings from None
    wanted, is_text = _change_in(body), body.texts is not None
    changed = await change_settings(
        backend.engine, backend.settings_holder, lambda stored: merge(stored, wanted, is_text=is_text)
    )
    return json_response(public(changed))


def _change_in(body: Body) -> dict[str, Any]:
    """A JSON body as it is; of a form the dotted names, and its JSON payload over them."""
    if body.texts is None:
        return body.data
    payload = {name: value for name, value in body.data.items() if name not in body.texts}
    return nest({name: texts for name, texts in body.texts.items() if not name.startswith("@")}) | payload
