"""Where a site's forms are drawn and taken: those of collections, and those by which visitors come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from undercroft.errors import Problem
from undercroft.http.response import Response, json_response
from undercroft.middleware.errors import error_body, wait_headers
from undercroft.middleware.same_origin import check_same_origin
from undercroft.pages.answers import redirect
from undercroft.pages.context import PageRequest
from undercroft.pages.entry.drawing import ENTRIES, names_of, take
from undercroft.pages.forms import draw_form
from undercroft.pages.submissions import QUERY, Failure, Sent, Submissions
from undercroft.pages.templates import Templates

_Taker = Callable[[PageRequest], Awaitable[str]]


class Reception:
    """The forms of a site."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._submissions = Submissions()
        self._special: Mapping[str, _Taker] = {f"@{name}": partial(take, each) for name, each in ENTRIES.items()}

    def names(self, visit: PageRequest) -> Mapping[str, Any]:
        """What templates draw forms with."""
        return {
            "form": partial(draw_form, visit, self._templates),
            **names_of(visit, self._templates),
        }

    def expects(self, visit: PageRequest) -> bool:
        """Whether it was one of these forms that was sent."""
        return visit.method == "POST" and QUERY in visit.query

    async def take(self, visit: PageRequest) -> Response | None:
        """The answer to a form; None when it is to be drawn again, with `visit.failure` set."""
        visit.is_private = True
        wants_json = "application/json" in visit.headers.get("accept", "")
        try:
            check_same_origin(visit.http)
            target = await self._special.get(visit.query[QUERY], self._submissions.take)(visit)
        except Problem as problem:
            visit.failure = Failure(visit.failure.sent if visit.failure else Sent(), problem)
            visit.headers_to_send += wait_headers(problem)
            return json_response(_told(problem), visit.failure.status) if wants_json else None
        answer = json_response({"location": target}) if wants_json else redirect(target)
        answer.headers = [*answer.headers, (b"cache-control", b"private, no-store")]
        return answer


def _told(problem: Problem) -> dict[str, Any]:
    """What a script is told: the wire's error, and its code."""
    return {**error_body(problem), "code": problem.code}
