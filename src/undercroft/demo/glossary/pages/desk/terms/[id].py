"""A term, to be edited."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from undercroft.pages.context import PageRequest

from .._staff import require_staff


async def get(request: PageRequest) -> dict[str, Any]:
    require_staff(request)
    return {"term": await request.records["terms"].get(request.params["id"]), "today": datetime.now(UTC)}
