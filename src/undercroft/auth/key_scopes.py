"""The scopes of API keys as people write them, with names of collections, and as they are kept, with ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.errors import REQUIRED, FieldError, Invalid, did_you_mean
from undercroft.query.grant import EVERYTHING, READ

MOST: Final = 100
_WHOLE: Final = (EVERYTHING, READ)
_PARTS: Final = ("read", "write")


def parse_scopes(texts: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    """The scopes as they are kept. Raises `Invalid` for none, too many, and what is no scope."""
    if not texts:
        raise Invalid({"scopes": REQUIRED})
    if len(texts) > MOST:
        raise _invalid("validation_too_many_scopes", f"There may be {MOST} at most.")
    return tuple(dict.fromkeys(_parse(text, catalog) for text in texts))


def render_scopes(scopes: Sequence[str], catalog: Catalog) -> list[str]:
    """The scopes as people read them; a collection that is gone keeps its id."""
    return [_render(scope, catalog) for scope in scopes]


def _parse(text: str, catalog: Catalog) -> str:
    if text in _WHOLE:
        return text
    name, _, part = text.rpartition(":")
    if not name or part not in _PARTS:
        raise _invalid("validation_invalid_scope", f"{text[:80]!r} is no scope: use *, read, NAME:read or NAME:write.")
    collection = catalog.find(name)
    if collection is None:
        hint = did_you_mean(name, [each.name for each in catalog if not each.system])
        raise _invalid("validation_unknown_collection", f"There is no collection {name[:80]!r}.{hint}")
    return f"{collection.id}:{part}"


def _render(scope: str, catalog: Catalog) -> str:
    collection_id, _, part = scope.rpartition(":")
    collection = catalog.find(collection_id) if collection_id else None
    return f"{collection.name}:{part}" if collection is not None else scope


def _invalid(code: str, message: str) -> Invalid:
    return Invalid({"scopes": FieldError(code, message)})
