"""URLs of pages, of static files and of files of records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from undercroft.errors import Problem, did_you_mean
from undercroft.http.request import Request
from undercroft.pages.routes import Page, PageTree
from undercroft.records.rows import PageRecord, collection_of_record

_UNRESERVED = "-._~!$&'()*+,;=:@"  # RFC 3986, 3.3: what a segment holds as it is


class NoUrl(Problem):
    """A template asks for the URL of a page that is not there, or leaves out a part of it."""

    code = "no_url"


class Urls:
    """Makes URLs, each below the place where the app is mounted."""

    def __init__(self, tree: PageTree, static: Callable[[str], str]) -> None:
        self._tree = tree
        self._static = static

    def bound_static(self, http: Request) -> Callable[[str], str]:
        """`static` for one request."""
        root = _root(http)
        return (lambda name: root + self._static(name)) if root else self._static

    def bound_url_for(self, http: Request) -> Callable[..., str]:
        """`url_for` for one request."""

        def url_for(page: str, **parts: Any) -> str:
            """The URL of a page by its name, such as `terms/[slug]`; what is no part of it goes into the query."""
            return _root(http) + self.path_of(page, parts)

        return url_for

    def bound_file_url(self, http: Request) -> Callable[..., str]:
        """`file_url` for one request."""

        def file_url(record: PageRecord, name: str, *, thumb: str = "", token: str = "", download: bool = False) -> str:
            """The URL of a file of a record; empty for an empty name."""
            if not name:
                return ""
            asked = {"thumb": thumb, "token": token, "download": "1" if download else ""}
            query = urlencode({key: value for key, value in asked.items() if value})
            path = f"{_root(http)}/api/files/{collection_of_record(record).name}/{record.id}/{quote(name)}"
            return f"{path}?{query}" if query else path

        return file_url

    def path_of(self, name: str, parts: dict[str, Any]) -> str:
        """The path of a page. Raises `NoUrl`."""
        page = self._tree.by_name.get(name)
        if page is None:
            hint = did_you_mean(name, list(self._tree.by_name))
            raise NoUrl(f"There is no page {name!r} to link to.{hint}")
        left = {key: value for key, value in parts.items() if key not in page.parameters}
        path = "/" + "/".join(_fill(page, segment, parts) for segment in page.segments)
        query = urlencode({key: value for key, value in left.items() if value is not None}, doseq=True)
        return f"{path}?{query}" if query else path


def _fill(page: Page, segment: str, parts: dict[str, Any]) -> str:
    if not segment.startswith("["):
        return quote(segment, safe=_UNRESERVED)
    name, _, suffix = segment.strip("[.").partition("]")
    value = str(parts.get(name, ""))
    if not value:
        raise NoUrl(f"The URL of {page.name!r} needs a value for {name!r}.")
    return quote(value, safe=_UNRESERVED + ("/" if segment.startswith("[...") else "")) + suffix


def _root(http: Request) -> str:
    root: str = http.asgi.get("root_path", "")
    return root
