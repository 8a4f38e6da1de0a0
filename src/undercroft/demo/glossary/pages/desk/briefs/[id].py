"""One brief at the desk."""

from __future__ import annotations

from typing import Any

from undercroft.pages.context import PageRequest

from .._staff import require_staff


async def get(request: PageRequest) -> dict[str, Any]:
    require_staff(request)
    return {"brief": await request.records["briefs"].get(request.params["id"])}
