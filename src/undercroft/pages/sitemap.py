"""`sitemap.xml` and `robots.txt` for sites that have none of their own.

The map has every page without named parts. A page with named parts tells its URLs by
`async def sitemap(request)` in its script: paths, or pairs of a path and when it changed
last. It is asked as a guest, for so is whoever reads the map.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Any, Final
from xml.sax.saxutils import escape

from undercroft.pages.context import PageRequest
from undercroft.pages.filters import iso_date
from undercroft.pages.response import Shown
from undercroft.pages.routes import KINDS, Page
from undercroft.pages.scripts import BadScript
from undercroft.pages.views import Views

MOST: Final = 50_000  # URLs that one map may have
_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'


def robots(visit: PageRequest) -> Shown:
    """`robots.txt`: everybody may read everything, and here is the map."""
    return Shown(f"User-agent: *\nAllow: /\nSitemap: {visit.origin}/sitemap.xml\n".encode(), KINDS[".txt"])


async def sitemap(views: Views, visit: PageRequest) -> Shown:
    """`sitemap.xml`, as a guest sees the site."""
    lines: list[str] = []
    async for path, changed in _entries(views, visit):
        lines.append(_line(visit.origin + path, changed))
        if len(lines) == MOST:
            break
    return Shown((_HEAD + "".join(lines) + "</urlset>\n").encode(), KINDS[".xml"])


async def _entries(views: Views, visit: PageRequest) -> AsyncIterator[tuple[str, date | None]]:
    for page in views.tree.by_name.values():
        if page.is_for_errors or page.is_ready or page.kind != KINDS[".html"]:
            continue
        hook = views.scripts.of(page.script).sitemap if page.script is not None else None
        if hook is not None:
            for entry in _listed(page, await hook(PageRequest(visit.http, page, {}))):
                yield entry
        elif page.template is not None and not page.parameters and views.templates.of(page).front.get("sitemap", True):
            yield views.urls.path_of(page.name, {}), None


def _listed(page: Page, told: Any) -> Iterable[tuple[str, date | None]]:
    """What a hook told, as pairs. Raises `BadScript`."""
    for each in told:
        path, changed = each if isinstance(each, tuple) else (each, None)
        if not isinstance(path, str) or not path.startswith("/"):
            raise BadScript(f"{page.name}.py: sitemap() must tell paths such as /terms/queue, not {path!r}.")
        yield path, changed


def _line(url: str, changed: date | None) -> str:
    when = f"<lastmod>{iso_date(changed)}</lastmod>" if changed is not None else ""
    return f"<url><loc>{escape(url)}</loc>{when}</url>\n"
