"""Running a page: its script, then its template, with the names that every template has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from undercroft.errors import MethodNotAllowed, Problem
from undercroft.http.response import Response
from undercroft.pages import assets
from undercroft.pages.answers import Rendered, not_found
from undercroft.pages.context import PageRequest
from undercroft.pages.filters import FILTERS
from undercroft.pages.reception import Reception
from undercroft.pages.response import Shown
from undercroft.pages.routes import Page, PageTree
from undercroft.pages.scripts import BadScript, Script, Scripts
from undercroft.pages.templates import Templates
from undercroft.pages.urls import Urls

_READS: Final = ("GET", "HEAD")
Names = Callable[[PageRequest], Mapping[str, Any]]
"""More names for templates, such as `form`, made for a visit."""


class NoSuchPage(Problem):
    """A script shows a page that is not there."""

    code = "no_such_page"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no page {name!r} to show.")


@dataclass(frozen=True, slots=True)
class Views:
    """What pages are run with."""

    tree: PageTree
    templates: Templates
    scripts: Scripts
    urls: Urls
    reception: Reception
    names: tuple[Names, ...] = field(default=())

    def prepare(self) -> None:
        """Put what does not change from visit to visit into the template engine."""
        environment = self.templates.environment
        environment.filters.update(FILTERS)
        environment.globals.update(not_found=not_found, undercroft_js=assets.URL, account_js=assets.ACCOUNT_URL)

    async def run(self, visit: PageRequest) -> Shown | Response:
        """What a page comes to: something to show, or the response that its script made.

        Raises `MethodNotAllowed`, and whatever the script and the template raise.
        """
        result = await self._take_form(visit) or await self._run_script(visit)
        if isinstance(result, Response):
            return result
        if visit.failure is not None:
            result = replace(result, status=visit.failure.status)
        return await self.show(visit, visit.page, result)

    async def _take_form(self, visit: PageRequest) -> Response | None:
        """The answer to a form of ours; None where none was sent, and where it is to be drawn again."""
        if not self.reception.expects(visit):
            return None
        if visit.page.script is not None:
            visit.stored = self.scripts.of(visit.page.script).stored
        return await self.reception.take(visit)

    async def show(self, visit: PageRequest, page: Page, rendered: Rendered) -> Shown:
        """A template, filled in. Raises `NoSuchPage`."""
        chosen = self.tree.by_name.get(rendered.page) if rendered.page else page
        if chosen is None:
            raise NoSuchPage(rendered.page)
        if chosen.template is None:
            raise BadScript(f"{chosen.name}.py has no template beside it, so it must answer with a response.")
        visit.clock.turn_to("render")
        template = self.templates.of(chosen)
        names = {**template.front, **self.names_of(visit), **rendered.context}
        text = await self.templates.render(template, names, visit.block)
        front = template.front
        return Shown(
            text.encode("utf-8", "replace"),
            chosen.kind,
            rendered.status,
            rendered.headers,
            str(front.get("cache", "")),
            str(front.get("csp", "")),
        )

    def names_of(self, visit: PageRequest) -> dict[str, Any]:
        """The names that every template has."""
        names: dict[str, Any] = {
            "request": visit,
            "user": visit.user,
            "records": visit.records,
            "params": visit.params,
            "static": self.urls.bound_static(visit.http),
            "url_for": self.urls.bound_url_for(visit.http),
            "file_url": self.urls.bound_file_url(visit.http),
            **self.reception.names(visit),
        }
        for more in self.names:
            names |= more(visit)
        return names

    async def _run_script(self, visit: PageRequest) -> Rendered | Response:
        page = visit.page
        if page.script is None:
            if visit.method not in _READS and visit.failure is None:
                raise MethodNotAllowed(_READS)
            return Rendered()
        visit.clock.turn_to("script")
        script = self.scripts.of(page.script)
        method = "GET" if visit.method == "HEAD" or visit.failure is not None else visit.method
        handler = script.handlers.get(method)
        if handler is None:
            if method == "GET" and page.template is not None:
                return Rendered()
            raise MethodNotAllowed(_allowed(page, script))
        return _read_result(page, await handler(visit))


def _allowed(page: Page, script: Script) -> tuple[str, ...]:
    reads = _READS if page.template is not None or "GET" in script.handlers else ()
    return (*reads, *(method for method in script.handlers if method not in reads))


def _read_result(page: Page, result: Any) -> Rendered | Response:
    """What a script answered. Raises `BadScript` for what makes no answer."""
    if result is None:
        return Rendered()
    if isinstance(result, Rendered | Response):
        return result
    if isinstance(result, Mapping):
        return Rendered(context=result)
    kind = type(result).__name__
    raise BadScript(f"{page.name}.py answered with {kind}: return a dict for its template, or a response.")
