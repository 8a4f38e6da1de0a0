"""All terms, to be edited."""

from __future__ import annotations

from typing import Any

from undercroft.pages.context import PageRequest

from .._staff import require_staff


async def get(request: PageRequest) -> dict[str, Any]:
    require_staff(request)
    return {"terms": await request.records["terms"].list(sort="title", per_page=500, expand="author")}
