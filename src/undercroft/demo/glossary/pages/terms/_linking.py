"""Terms in the text of other terms, made into links that carry a summary for the card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from undercroft.pages.filters import plain
from undercroft.records.rows import PageRecord
from undercroft.templating.markdown import render_markdown

_MARK = re.compile(r"(<[^>]+>|&#?\w+;)")  # a tag, or the name of a character
_SUMMARY = 190  # characters


@dataclass(frozen=True)
class Known:
    """A term that text may mention."""

    slug: str
    title: str
    body: str

    @property
    def summary(self) -> str:
        """How its text begins."""
        return plain(render_markdown(self.body), _SUMMARY)


def known_terms(terms: Sequence[PageRecord]) -> Mapping[str, Known]:
    """Terms by their titles in lower case."""
    return {str(term.title).lower(): Known(term.slug, term.title, term.body) for term in terms}


def link_terms(text: str, known: Mapping[str, Known], own_slug: str) -> Markup:
    """Markdown as HTML, in which the first mention of every other term is a link."""
    html = str(render_markdown(text))
    left = {title: term for title, term in known.items() if term.slug != own_slug}
    names = sorted(left, key=len, reverse=True)
    if not names:
        return Markup(html)  # noqa: S704 - sanitised above
    mention = re.compile(rf"\b({'|'.join(map(re.escape, names))})(s|es)?\b", re.IGNORECASE)
    used: set[str] = set()
    parts, quiet = [], 0  # how many links and pieces of code are open
    for part in _MARK.split(html):
        quiet += part.startswith(("<a ", "<code")) - (part in ("</a>", "</code>"))
        is_text = not quiet and not part.startswith(("<", "&"))
        parts.append(mention.sub(lambda found: _link(found, left, used), part) if is_text else part)
    return Markup("".join(parts))  # noqa: S704 - sanitised above, and what is put in is escaped


def _link(found: re.Match[str], left: Mapping[str, Known], used: set[str]) -> str:
    term = left[found[1].lower()]
    if term.slug in used:
        return found[0]
    used.add(term.slug)
    summary, title = escape(term.summary), escape(term.title)
    return (
        f'<a class="term" href="/terms/{escape(term.slug)}" data-title="{title}" data-summary="{summary}"'
        f' title="{summary}">{found[0]}</a>'
    )
