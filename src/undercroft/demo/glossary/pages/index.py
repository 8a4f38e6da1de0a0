"""The list of terms, searched by what stands in the URL."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from undercroft.pages.context import PageRequest

CATEGORIES = ("data", "interface", "operation", "performance", "security")
# What a visitor may search by, each with a condition that takes the value apart from its text.
CONDITIONS = {
    "text": "(title ~ {:text} || body ~ {:text})",
    "title": "title ~ {:title}",
    "author": "author = {:author}",
    "category": "category = {:category}",
    "since": "published >= {:since}",
}


async def get(request: PageRequest) -> dict[str, Any]:
    asked = {name: request.query.get(name, "").strip()[:100] for name in CONDITIONS}
    values: dict[str, Any] = {name: text for name, text in asked.items() if text}
    if "title" in values:
        values["title"] += "%"  # the operator ~ takes a text with % as a pattern
    conditions = " && ".join(CONDITIONS[name] for name in values)
    terms = request.records["terms"]
    found = await terms.list(conditions, sort="title", expand="author", per_page=500, **values)
    return {
        "asked": asked,
        "is_search": bool(values),
        "found": len(found),
        "letters": [
            (letter, list(group)) for letter, group in groupby(found, key=lambda term: str(term.title)[:1].upper())
        ],
        "count": len(found) if not values else await terms.count(),
        "authors": await request.records["staff"].list(sort="name", per_page=50),
        "categories": CATEGORIES,
    }
