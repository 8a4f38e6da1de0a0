"""A site: pages and static files at every path that the API does not have."""

from __future__ import annotations

from asyncio import create_task, shield
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from undercroft.api.rates import check_rate
from undercroft.api.router import escaped_path
from undercroft.errors import NotFound
from undercroft.http.body import is_form_with_files
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.middleware.authenticate import authenticate
from undercroft.middleware.key_reach import check_reach
from undercroft.middleware.same_origin import CrossOrigin, is_same_origin
from undercroft.pages.context import PageRequest
from undercroft.pages.entry.offered import offered_names
from undercroft.pages.failures import show_failure
from undercroft.pages.options import SiteOptions
from undercroft.pages.public import PublicFolder
from undercroft.pages.reception import Reception
from undercroft.pages.response import Finisher, PageResponse, Shown
from undercroft.pages.routes import Page, PageTree, scan, split_path, with_ready
from undercroft.pages.scripts import Scripts
from undercroft.pages.sitemap import robots, sitemap
from undercroft.pages.templates import Templates
from undercroft.pages.timing import Stopwatch
from undercroft.pages.urls import Urls
from undercroft.pages.views import Names, Views

_SAFE: Final = ("GET", "HEAD")
_MOVED: Final = 308  # with the same method and body
_NOWHERE: Final = Page("an unknown address")


class NoSuchAddress(NotFound):
    """No page and no static file is at this path."""

    code = "no_such_address"
    default = "There is nothing at this address."


class Site:
    """Answers what is asked for outside of the API. `names` add to what templates know."""

    def __init__(self, options: SiteOptions, names: Sequence[Names] = ()) -> None:
        self.options = options
        self.public = PublicFolder(options.public)
        self._finisher = Finisher.of(options)
        tree = self._scan()
        templates = Templates(options.pages, is_dev=options.is_dev)
        scripts = Scripts(options.pages, is_dev=options.is_dev)
        urls = Urls(tree, self.public.url_of)
        offer = partial(offered_names, options.accounts)
        self._views = Views(tree, templates, scripts, urls, Reception(templates), (offer, *names))
        self._views.prepare()

    async def answer(self, request: Request) -> Response:
        """The answer to a request. Raises what went wrong, for `failed` to show."""
        clock, path = Stopwatch(), escaped_path(request.asgi)
        segments = split_path(path)
        if segments is None:
            raise NoSuchAddress
        views = self._current()
        if segments and not segments[-1]:
            return await self._without_slash(request, views, segments[:-1], path)
        found = self._find_page(views, segments)
        if found is None or (found[1] and segments and "." in segments[-1]):
            static = await self._static(request, segments, path)
            if static is not None:
                return static
        if found is not None:
            return await self._visit(request, views, PageRequest(request, *found, clock))
        return await self._fixed(request, views, path)

    async def failed(self, request: Request, error: Exception) -> Response:
        """The page that tells of an error."""
        visit = PageRequest(request, _NOWHERE, {})
        shown = await show_failure(self._views, visit, error, is_dev=self.options.is_dev)
        return await self._finisher.finish(visit, shown)

    def _scan(self) -> PageTree:
        tree = scan(self.options.pages)
        return with_ready(tree) if self.options.has_pages and self.options.accounts else tree

    def _current(self) -> Views:
        """The pages; in development, as they are at this moment."""
        if self.options.is_dev:
            tree = self._scan()
            self._views = replace(self._views, tree=tree, urls=Urls(tree, self.public.url_of))
        return self._views

    def _find_page(self, views: Views, segments: list[str]) -> tuple[Page, Mapping[str, str]] | None:
        exact = views.tree.exact(segments)
        return (exact, {}) if exact is not None else views.tree.find(segments)

    async def _visit(self, request: Request, views: Views, visit: PageRequest) -> Response:
        if request.method not in _SAFE:
            _refuse_foreign(request)
        visit.clock.turn_to("visitor")
        request.identity = await authenticate(request)
        check_rate(request)
        # Forms are for people, and those for signing in and looking after an account are among them.
        check_reach(request.identity, request.method, "all" if request.method in _SAFE else "none")
        visit.is_private = request.identity is not None
        work = self._run(views, visit)
        # Files that came with a form are put to their record beside the database: that is finished in any case.
        return await (shield(create_task(work)) if is_form_with_files(request) else work)

    async def _run(self, views: Views, visit: PageRequest) -> Response:
        try:
            result = await views.run(visit)
        finally:
            await visit.close()
        if type(result) is Response:
            result = Shown(result.body, "", result.status, result.headers)
        if isinstance(result, Shown):
            return await self._finisher.finish(visit, result)
        result.headers = [*result.headers, *visit.headers_to_send]
        return result

    async def _static(self, request: Request, segments: list[str], path: str) -> Response | None:
        """A static file, or the redirect to a folder's slash."""
        if request.method not in _SAFE:
            return None
        if segments and segments[-1] == "index.html" and self.public.has_file(segments):
            return _redirect(request, path.removesuffix("index.html"))
        answer = await self.public.answer(request, segments or ["index.html"])
        if answer is None and segments and self.public.has_file([*segments, "index.html"]):
            return _redirect(request, path + "/")
        return answer

    async def _without_slash(self, request: Request, views: Views, segments: list[str], path: str) -> Response:
        """What is at a path that ends in a slash: a folder of static files, or the way to where there is no slash."""
        if request.method in _SAFE and self.public.has_file([*segments, "index.html"]):
            answer = await self.public.answer(request, [*segments, "index.html"])
            if answer is not None:
                return answer
        if self._find_page(views, segments) is not None or self.public.has_file(segments):
            return _redirect(request, path.rstrip("/"))
        return await self._fixed(request, views, path)

    async def _fixed(self, request: Request, views: Views, path: str) -> Response:
        """What every site has without a file for it. Raises `NoSuchAddress`."""
        if request.method in _SAFE:
            visit = PageRequest(request, _NOWHERE, {})
            if path == "/robots.txt":
                return await self._finisher.finish(visit, robots(visit))
            if path == "/sitemap.xml" and self.options.has_pages:
                return await self._finisher.finish(visit, await sitemap(views, visit))
            is_for_application = self.options.has_fallback and not self.options.has_pages
            if is_for_application and "." not in path.rpartition("/")[2]:
                answer = await self.public.answer(request, ["index.html"])
                if answer is not None:
                    return answer
        raise NoSuchAddress


def _refuse_foreign(request: Request) -> None:
    """Refuse what a browser says a page of another site sent. Raises `CrossOrigin`."""
    from_browser = request.header(b"sec-fetch-site") is not None or request.header(b"origin") is not None
    if from_browser and not is_same_origin(request):
        raise CrossOrigin


def _redirect(request: Request, path: str) -> Response:
    query: bytes = request.asgi["query_string"]
    target = (request.asgi.get("root_path", "") + path).encode("ascii", "ignore") + (b"?" + query if query else b"")
    return PageResponse(_MOVED, b"", [(b"location", target), (b"cache-control", b"no-cache")])
