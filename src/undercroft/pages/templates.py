"""Templates of a site: found by page, wrapped in the layouts of their folders, compiled once.

A page is rendered first; then the nearest `_layout.html` is, with the page's HTML as
`content` and with every name that the page set at its top level, such as `title`; then
the layout of the folder above, and so on. A page that begins with `{% extends %}`, and one
that says `layout: false` in its front matter, is not wrapped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, Template, TemplateNotFound
from jinja2.nodes import Extends
from jinja2.runtime import Context
from markupsafe import Markup

from undercroft.errors import Forbidden, NotFound, Problem, Unauthenticated
from undercroft.pages.routes import KINDS, READY, Page
from undercroft.templating.environment import make_environment
from undercroft.templating.front_matter import Document, read_document
from undercroft.templating.markdown import render_own_markdown

OWN: Final = "undercroft"  # templates that come with the program: `undercroft/form.html`
_LAYOUT: Final = "_layout.html"
_Block = Callable[[Context], AsyncIterator[str]]


class NoSuchBlock(NotFound):
    """The page has no block of that name, or did not come to it."""

    code = "no_such_block"

    def __init__(self, name: str) -> None:
        super().__init__(f"This page has no block {name[:50]!r}.")


class BadTemplateFile(Problem):
    """A template cannot be read."""

    code = "bad_template_file"


@dataclass(frozen=True, slots=True)
class PageTemplate:
    """What a page is shown with: front matter, template or finished HTML, and layouts from the inside out."""

    front: Mapping[str, Any]
    template: Template | None
    html: Markup
    layouts: tuple[Template, ...]


class Templates:
    """The templates in the folder of a site's pages."""

    def __init__(self, folder: Path, *, is_dev: bool = False) -> None:
        self._folder = folder
        self._is_dev = is_dev
        own = FileSystemLoader(Path(__file__).parent / "templates")
        self._site = _SiteLoader(folder)
        loader = ChoiceLoader([self._site, PrefixLoader({OWN: own})])
        self.environment: Environment = make_environment(loader, has_reload=is_dev)
        self._known: dict[str, PageTemplate] = {}

    def of(self, page: Page) -> PageTemplate:
        """The template of a page. Raises what is wrong with it: `BadFrontMatter`, Jinja's `TemplateSyntaxError`."""
        found = self._known.get(page.name)
        if found is None:
            found = self._load(page)
            if not self._is_dev:
                self._known[page.name] = found
        return found

    async def render(self, shown: PageTemplate, names: Mapping[str, Any], block: str = "") -> str:
        """The text of a page with its layouts, or of one of its blocks alone. Raises `NoSuchBlock`."""
        text, exported = str(shown.html), dict[str, Any]()
        if shown.template is not None:
            text, exported = await _fill(shown.template, names, block)
        if block:
            return text
        known = {**names, **exported}
        for layout in shown.layouts:
            known["content"] = Markup(text)  # noqa: S704 - what a template made is escaped
            text, exported = await _fill(layout, known)
            known |= exported
        return text

    async def render_own(self, name: str, names: Mapping[str, Any]) -> str:
        """The text of a template that comes with the program."""
        text, _ = await _fill(self.environment.get_template(f"{OWN}/{name}"), names)
        return text

    def _load(self, page: Page) -> PageTemplate:
        if page.template is None:
            return PageTemplate({}, None, Markup(), ())
        if page.is_ready:
            return self._load_ready(page.template)
        name = page.template.relative_to(self._folder).as_posix()
        document = _read(page.template, name)
        if page.suffix == ".md":
            html = render_own_markdown(document.body)
            return PageTemplate(document.front, None, html, self._layouts(name, document.front))
        is_wrapped = page.kind == KINDS[".html"] and not self._extends(name)
        layouts = self._layouts(name, document.front) if is_wrapped else ()
        return PageTemplate(document.front, self.environment.get_template(name), Markup(), layouts)

    def _load_ready(self, file: Path) -> PageTemplate:
        """A page that comes with the program stands in the layouts of the site, if it has any."""
        name = file.relative_to(READY).as_posix()
        plain = self.environment.get_template(f"{OWN}/ready/{_LAYOUT}")
        layouts = self._layouts(name, {}) or (plain,)
        return PageTemplate({}, self.environment.get_template(f"{OWN}/ready/{name}"), Markup(), layouts)

    def _extends(self, name: str) -> bool:
        """Whether a template says itself what stands around it."""
        source, file, _ = self._site.get_source(self.environment, name)
        return self.environment.parse(source, name, file).find(Extends) is not None

    def _layouts(self, name: str, front: Mapping[str, Any]) -> tuple[Template, ...]:
        chosen = front.get("layout")
        if chosen is False:
            return ()
        if chosen is not None:
            return (self.environment.get_template(str(chosen)),)
        folders = PurePosixPath(name).parents
        names = [(folder / _LAYOUT).as_posix() for folder in folders if (self._folder / folder / _LAYOUT).is_file()]
        return tuple(self.environment.get_template(each) for each in names)


class _SiteLoader(BaseLoader):
    """Templates by their path in the folder, without their front matter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        del environment
        path = (self._folder / template).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise TemplateNotFound(template)
        changed = path.stat().st_mtime_ns

        def is_fresh() -> bool:
            return path.exists() and path.stat().st_mtime_ns == changed

        document = _read(path, template)
        # In a comment the lines of the front matter count, so that errors name the right ones, and are not shown.
        above = "{#" + "\n" * document.lines + "#}" if document.lines else ""
        return above + document.body, str(path), is_fresh


def _read(path: Path, name: str) -> Document:
    try:
        return read_document(path.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadTemplateFile(f"{name} cannot be read: {error}.") from error


async def _fill(template: Template, names: Mapping[str, Any], block: str = "") -> tuple[str, dict[str, Any]]:
    """The text of a template or of one of its blocks, and the names it set at its top level."""
    context = template.new_context(dict(names))
    kept = _keep_block(context, block) if block else None
    try:
        run = cast("_Block", template.root_render_func)  # Jinja's types know no asynchronous templates
        parts = [part async for part in run(context)]
    except (Forbidden, NotFound, Unauthenticated):  # answers of a page, no faults of its template
        raise
    except Exception:  # noqa: BLE001 - raised again at once, with the template's lines in its traceback
        template.environment.handle_exception()
    exported = {name: context.vars[name] for name in context.exported_vars}
    if kept is None:
        return "".join(parts), exported
    if not kept:
        raise NoSuchBlock(block)
    return "".join(kept[-1]), exported


def _keep_block(context: Context, name: str) -> list[list[str]]:
    """Let a context keep what one of its blocks makes, each time it is made.

    The whole page is run, so that the block finds all that stands before it, inside loops and layouts too.
    """
    kept: list[list[str]] = []
    if name not in context.blocks:
        raise NoSuchBlock(name)
    blocks = cast("dict[str, list[_Block]]", context.blocks)  # nor asynchronous blocks
    make = blocks[name][0]

    async def keep(inner: Context) -> AsyncIterator[str]:
        parts: list[str] = []
        async for part in make(inner):
            parts.append(part)
            yield part
        kept.append(parts)

    blocks[name][0] = keep
    return kept
