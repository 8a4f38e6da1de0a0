"""Markdown to HTML, and HTML to HTML that nobody can be harmed by."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_CLASSES: Final = {"code": {"class"}, "a": {"href", "title"}, "th": {"style"}, "td": {"style"}}
_ATTRIBUTES: Final = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    tag: set(nh3.ALLOWED_ATTRIBUTES.get(tag, ())) | names for tag, names in _CLASSES.items()
}
_STYLES: Final = {"text-align"}  # how Markdown's tables say it


@lru_cache(maxsize=2)
def _reader(*, takes_html: bool) -> MarkdownIt:
    """CommonMark with tables and strike-through."""
    return MarkdownIt("commonmark", {"html": takes_html}).enable(["table", "strikethrough"])


def render_markdown(text: str) -> Markup:
    """HTML for Markdown that anyone may have written: sanitised."""
    return sanitize(_reader(takes_html=True).render(text))


def render_own_markdown(text: str) -> Markup:
    """HTML for Markdown that the site's author wrote: its HTML stays as it is."""
    return Markup(_reader(takes_html=True).render(text))  # noqa: S704 - a file of the site is trusted like a template


def sanitize(html: str) -> Markup:
    """HTML without scripts, styles, handlers, and links that run code.

    Links to elsewhere get `rel="noopener noreferrer"`.
    """
    clean = nh3.clean(html, attributes=_ATTRIBUTES, filter_style_properties=_STYLES)
    return Markup(clean)  # noqa: S704 - this is where it becomes safe
