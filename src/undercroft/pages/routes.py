"""From a folder of files to URLs: a file is a page.

    index.html           /
    terms/index.html     /terms
    terms/[slug].html    /terms/anything, which is `params.slug`
    docs/[...rest].html  /docs/and/all/below, which is `params.rest`
    feed.xml             /feed.xml: files of other kinds keep their suffix
    about.py             the script of about.html or about.md, or a page without a template

Names that begin with `_` or `.` are no pages. A named part takes no value that looks like
a static file (`x.css`), whatever stands behind it: a cache that decides by the suffix would
keep such an answer for everyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from undercroft.errors import Problem

HIDDEN: Final = ("_", ".")
PLAIN_SUFFIXES: Final = (".html", ".md")
KINDS: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/html; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".ics": "text/calendar; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
ERROR_PAGE: Final = re.compile(r"[45]\d\d")
READY: Final = Path(__file__).parent / "templates" / "ready"
_SCRIPT: Final = ".py"
_NAMED: Final = re.compile(r"\[([A-Za-z_]\w*)\](\.\w+)?", re.ASCII)
_REST: Final = re.compile(r"\[\.\.\.([A-Za-z_]\w*)\]", re.ASCII)
_STATIC: Final = re.compile(
    r"\.(7z|avif|avi|bin|bmp|bz2|class|css|csv|docx?|ejs|eot|eps|exe|flac|gif|gz|html?|ico|ics|iso|jar|jpe?g|js|json|map"
    r"|mid|mjs|mkv|mp[34]|ogg|otf|pdf|pict|pls|png|pptx?|ps|rar|rss|svgz?|swf|tar|tiff?|ttf|txt|wasm|webm|webmanifest"
    r"|webp|woff2?|xlsx?|xml|zip|zst)$",
    re.IGNORECASE,
)


class PageClash(Problem):
    """Two files would be the same page, or a file's name is none that a page can have."""

    code = "page_clash"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `name` is its path in the folder without the suffix of `html` and `md`, such as `terms/[slug]`."""

    name: str
    suffix: str = ""
    template: Path | None = None
    script: Path | None = None
    is_ready: bool = False
    """Whether it comes with the program, and so is not the site's own."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of its URL."""
        parts = PurePosixPath(self.name).parts
        return parts[:-1] if parts[-1] == "index" else parts

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parts that may be anything, in order."""
        found = (_NAMED.fullmatch(part) or _REST.fullmatch(part) for part in self.segments)
        return tuple(match[1] for match in found if match)

    @property
    def kind(self) -> str:
        """The media type of what it answers."""
        return KINDS.get(self.suffix, KINDS[".html"])

    @property
    def is_for_errors(self) -> bool:
        """Whether it is shown for an error, and has no URL."""
        return ERROR_PAGE.fullmatch(self.name) is not None


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    named: dict[str, _Node] = field(default_factory=dict)
    """By suffix; the empty one takes any value that does not look like a static file."""
    page: Page | None = None
    rest: Page | None = None


class PageTree:
    """All pages of a site, by URL and by name."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self.by_name = pages
        self._root = _Node()
        for page in pages.values():
            if not page.is_for_errors:
                self._add(page)

    def exact(self, segments: list[str]) -> Page | None:
        """The page at a path that names it letter by letter."""
        node: _Node | None = self._root
        for segment in segments:
            node = node.literals.get(segment) if node is not None else None
        return node.page if node is not None else None

    def find(self, segments: list[str]) -> tuple[Page, Mapping[str, str]] | None:
        """The page at a path, and the values of its named parts; a literal part wins over a named one."""
        values: list[str] = []
        page = _find(self._root, segments, 0, values)
        return (page, dict(zip(page.parameters, values, strict=True))) if page is not None else None

    def _add(self, page: Page) -> None:
        node = self._root
        for segment in page.segments:
            if _REST.fullmatch(segment):
                if segment != page.segments[-1] or node.rest is not None:
                    raise PageClash(f"{page.name}: a part with three dots stands alone at the end of a path.")
                node.rest = page
                return
            node = _step(node, segment, page)
        if node.page is not None:
            raise PageClash(f"The pages {node.page.name} and {page.name} have the same URL.")
        node.page = page


def scan(folder: Path) -> PageTree:
    """The pages in a folder. Raises `PageClash`."""
    pages: dict[str, Page] = {}
    scripts: dict[str, Path] = {}
    for path in sorted(_files(folder)):
        name, suffix = _split(path.relative_to(folder).as_posix())
        if suffix == _SCRIPT:
            scripts[name] = path
        elif suffix in KINDS:
            if name in pages:
                raise PageClash(f"There are two templates for the page {name}.")
            pages[name] = Page(name, suffix, path)
    for name, script in scripts.items():
        page = pages.get(name, Page(name, PurePosixPath(name).suffix))
        pages[name] = Page(name, page.suffix, page.template, script)
    return PageTree(pages)


def with_ready(tree: PageTree) -> PageTree:
    """A site's pages, and those that come with the program wherever the site has none of that name or URL."""
    taken = {page.segments for page in tree.by_name.values() if not page.is_for_errors}
    ready = (
        Page(path.relative_to(READY).with_suffix("").as_posix(), path.suffix, path, is_ready=True)
        for path in sorted(_files(READY))
    )
    return PageTree({**tree.by_name, **{page.name: page for page in ready if page.segments not in taken}})


def split_path(path: str) -> list[str] | None:
    """The parts of an escaped URL path, unescaped; None for one that no page or file could have.

    A trailing slash leaves an empty last part.
    """
    if path == "/":
        return []
    segments = [unquote(segment) for segment in path.split("/")[1:]]
    return segments if all(map(_is_name, segments[:-1])) and (not segments[-1] or _is_name(segments[-1])) else None


def _is_name(segment: str) -> bool:
    if not segment or segment in (".", ".."):
        return False
    return not any(character in "/\\\x7f" or character < " " for character in segment)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith(HIDDEN):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _split(relative: str) -> tuple[str, str]:
    """The name of a page and the suffix of its file."""
    path = PurePosixPath(relative)
    suffix = path.suffix
    keeps = suffix not in (*PLAIN_SUFFIXES, _SCRIPT)
    return (relative if keeps else relative.removesuffix(suffix)), suffix


def _step(node: _Node, segment: str, page: Page) -> _Node:
    named = _NAMED.fullmatch(segment)
    if named:
        return node.named.setdefault(named[2] or "", _Node())
    if "[" in segment or "]" in segment:
        raise PageClash(f"{page.name}: write a named part as [name], and nothing else between two slashes.")
    return node.literals.setdefault(segment, _Node())


def _find(node: _Node, segments: list[str], at: int, values: list[str]) -> Page | None:
    if at == len(segments):
        return node.page
    segment, is_last = segments[at], at == len(segments) - 1
    literal = node.literals.get(segment)
    found = _find(literal, segments, at + 1, values) if literal is not None else None
    if found is not None:
        return found
    for suffix, below in sorted(node.named.items(), reverse=True):
        if suffix and segment.endswith(suffix) and segment != suffix:
            found = _take(below, segments, at, values, segment.removesuffix(suffix))
        elif not suffix and not (is_last and _STATIC.search(segment)):
            found = _take(below, segments, at, values, segment)
        if found is not None:
            return found
    if node.rest is not None and segments[-1] and not _STATIC.search(segments[-1]):
        values.append("/".join(segments[at:]))
        return node.rest
    return None


def _take(node: _Node, segments: list[str], at: int, values: list[str], value: str) -> Page | None:
    values.append(value)
    found = _find(node, segments, at + 1, values)
    if found is None:
        values.pop()
    return found
