"""What the glossary begins with: those who write it, its terms, and three briefs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from undercroft.backend import Backend
from undercroft.demo.planting import change, plant, plant_collections
from undercroft.settings.settings import Settings
from undercroft.settings.store import change_settings
from undercroft.templating.front_matter import read_document

SITE: Final = Path(__file__).parent / "glossary"
STAFF_LOGIN: Final = "mara@fathom.example"
_TERMS: Final = SITE / "seed" / "terms"


async def plant_glossary(backend: Backend, password: str) -> None:
    """Fill an empty data directory; everybody on the staff has that password."""
    await plant_collections(backend, _read("collections.json"))
    staff = msgspec.json.decode(_read("seed/staff.json"))
    secret = {"password": password, "passwordConfirm": password, "verified": True, "emailVisibility": False}
    await plant(backend, "staff", [{**member, **secret} for member in staff])
    authors = {str(member["email"]).partition("@")[0]: member["id"] for member in staff}
    terms = [_read_term(file, authors) for file in sorted(_TERMS.glob("*.md"))]
    ids = {term["slug"]: term["id"] for term, _ in terms}
    await plant(backend, "terms", [term for term, _ in terms])
    await change(backend, "terms", {t["id"]: {"related": [ids[slug] for slug in related]} for t, related in terms})
    await plant(backend, "briefs", msgspec.json.decode(_read("seed/briefs.json")))
    await _name_the_application(backend)


def _read(name: str) -> bytes:
    return (SITE / name).read_bytes()


def _read_term(file: Path, authors: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """A term, and the slugs of those it is related to."""
    document = read_document(file.read_text(encoding="utf-8"), file.name)
    front = document.front
    term = {
        "id": "term" + "".join(filter(str.isalnum, file.stem))[:11].ljust(11, "0"),
        "slug": file.stem,
        "title": str(front["title"]),
        "category": front["category"],
        "author": authors[front["author"]],
        "published": str(front["published"]),
        "edited": str(front["edited"]),
        "body": document.body.strip(),
    }
    return term, [slug.strip() for slug in str(front["related"]).split(",")]


async def _name_the_application(backend: Backend) -> None:
    await change_settings(backend.engine, backend.settings_holder, _named)


def _named(settings: Settings) -> Settings:
    names = {"app_name": "Fathom Works", "sender_name": "Fathom Works", "sender_address": "desk@fathom.example"}
    return msgspec.structs.replace(settings, meta=msgspec.structs.replace(settings.meta, **names))
