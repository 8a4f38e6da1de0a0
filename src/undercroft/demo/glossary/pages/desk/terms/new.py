"""A new term."""

from __future__ import annotations

from typing import Any

from undercroft.dates import now
from undercroft.pages.context import PageRequest

from .._staff import require_staff


async def get(request: PageRequest) -> dict[str, Any]:
    require_staff(request)
    author = request.identity.id if request.identity is not None else ""
    return {"begin_with": {"author": author, "published": now(), "edited": now()}}
