"""The desk: briefs for those who work here; everybody else is sent to sign in."""

from __future__ import annotations

from typing import Any

from undercroft.http.response import Response
from undercroft.pages.answers import redirect
from undercroft.pages.context import PageRequest

from ._staff import is_staff

STATUSES = ("new", "read", "answered", "closed")


async def get(request: PageRequest) -> dict[str, Any] | Response:
    if not is_staff(request):
        return redirect("/account/sign-in?next=/desk")
    asked = {name: request.query.get(name, "").strip()[:200] for name in ("status", "email")}
    conditions = {"status": "status = {:status}", "email": "email = {:email}"}
    values: dict[str, Any] = {name: text for name, text in asked.items() if text}
    chosen = " && ".join(conditions[name] for name in values)
    briefs = request.records["briefs"]
    return {
        "asked": asked,
        "statuses": STATUSES,
        "briefs": await briefs.list(chosen, sort="-created", per_page=100, **values),
        "waiting": await briefs.count("status = 'new'"),
    }
