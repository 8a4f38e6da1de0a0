"""One term, with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from undercroft.pages.answers import not_found
from undercroft.pages.context import PageRequest

from ._linking import known_terms, link_terms


async def get(request: PageRequest) -> dict[str, Any]:
    terms = request.records["terms"]
    term = await terms.first("slug = {:slug}", expand="author,related", slug=request.params["slug"])
    if term is None:
        not_found("There is no term of that name. It may have another title, or we have yet to write it.")
    known = known_terms((await terms.list(per_page=500)).items)
    return {
        "term": term,
        "body": link_terms(term.body, known, term.slug),
        "before": await terms.first("title < {:title}", sort="-title", title=term.title),
        "after": await terms.first("title > {:title}", sort="title", title=term.title),
    }


async def sitemap(request: PageRequest) -> Sequence[str]:
    return [f"/terms/{term.slug}" for term in await request.records["terms"].list(per_page=500)]
