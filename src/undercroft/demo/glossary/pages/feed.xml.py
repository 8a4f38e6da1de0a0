"""The newest terms as an Atom feed."""

from __future__ import annotations

from undercroft.http.response import Response
from undercroft.pages.context import PageRequest
from undercroft.pages.feeds import Entry, feed
from undercroft.templating.markdown import render_markdown


async def get(request: PageRequest) -> Response:
    terms = await request.records["terms"].list(sort="-published,title", expand="author", per_page=30)
    entries = [
        Entry(
            term.title, f"/terms/{term.slug}", term.edited, str(render_markdown(term.body)), term.expand["author"].name
        )
        for term in terms
    ]
    return feed(request, "Fathom Works: new terms", entries)
