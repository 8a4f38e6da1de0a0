"""What a visitor sees when a page fails: the site's own `404.html`, a plain page, or, in development, the reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from jinja2 import TemplateError

from undercroft.errors import MethodNotAllowed, Problem
from undercroft.http.response import Header
from undercroft.middleware.errors import sentence, status_of, wait_headers
from undercroft.pages.answers import Rendered
from undercroft.pages.context import PageRequest
from undercroft.pages.dev import describe
from undercroft.pages.response import Shown
from undercroft.pages.routes import KINDS
from undercroft.pages.views import Views
from undercroft.query.errors import FilterError, SortError

_UNEXPECTED: Final = 500
_HTML: Final = KINDS[".html"]
_SILENT: Final = "Something went wrong on our side."
_log = logging.getLogger("undercroft")


async def show_failure(views: Views, visit: PageRequest, error: Exception, *, is_dev: bool) -> Shown:
    """The page for an error. Faults of the site are logged whole, under the request's id."""
    problem = error if isinstance(error, Problem) else None
    code = status_of(problem) if problem is not None else _UNEXPECTED
    is_fault = code == _UNEXPECTED or isinstance(error, FilterError | SortError)
    if is_fault:
        _log.error("Request %s for %s failed.", visit.id, visit.path, exc_info=error)
    if is_fault and is_dev:
        return Shown(await _explain(views, visit, error), _HTML, code)
    message = _SILENT if problem is None or is_fault else sentence(problem.message())
    names = {"code": code, "message": message, "request_id": visit.id}
    return await _show(views, visit, Rendered(str(code), names, code, _headers(problem)))


async def _show(views: Views, visit: PageRequest, wanted: Rendered) -> Shown:
    """The site's page for a code; the plain one where there is none, or where that fails as well."""
    page = views.tree.by_name.get(wanted.page)
    if page is not None and page.template is not None and not visit.block:
        try:
            return await views.show(visit, page, Rendered("", wanted.context, wanted.status, wanted.headers))
        except (Problem, TemplateError, Exception) as error:  # noqa: BLE001 - the page about an error must not fail
            _log.error("The page %s itself failed.", wanted.page, exc_info=error)
    body = await views.templates.render_own("error.html", wanted.context)
    return Shown(body.encode(), _HTML, wanted.status, wanted.headers)


async def _explain(views: Views, visit: PageRequest, error: Exception) -> bytes:
    text = await views.templates.render_own("dev.html", {"fault": describe(error), "nonce": visit.nonce})
    return text.encode("utf-8", "replace")


def _headers(problem: Problem | None) -> Sequence[Header]:
    if isinstance(problem, MethodNotAllowed):
        return [(b"allow", ", ".join(problem.allowed).encode())]
    return wait_headers(problem) if problem is not None else []
