"""The query of a view: what it may be, and which fields come out of it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.indexes import tokenize
from undercroft.collections.tables import create_view
from undercroft.collections.view_shape import ViewShape
from undercroft.database.dialect import Dialect

_SEVERAL: Final = "multiple statements are not supported"
_LONGEST: Final = 50_000


def plain_query(query: str) -> str:
    """The query without the space and the semicolon at its ends."""
    return query.strip().removesuffix(";").strip()


def read_view(query: str, catalog: Catalog) -> ViewShape:
    """What a plain view query yields, in a catalog that says what its columns are."""
    reason = _find_trick(query)
    if reason:
        return ViewShape(reason=reason)
    # The SQL parser is large, and most servers never change a view.
    from undercroft.collections.view_reader import shape_of  # noqa: PLC0415 - see above

    return shape_of(query, catalog)


def spell_view(query: str, catalog: Catalog, dialect: Dialect) -> str:
    """A plain view query in the words of the engine."""
    names = {each.name: {field.name: field.column for field in each.fields} for each in catalog}
    return dialect.view_query(query, names)


def view_statement(view: Collection, catalog: Catalog, dialect: Dialect) -> str:
    """The statement that makes the view of a collection."""
    query = plain_query(view.view_query)
    casts_id = read_view(query, catalog).casts_id
    return create_view(view, spell_view(query, catalog, dialect), dialect, casts_id=casts_id)


def rename_in_view(
    view: Collection, old: Collection, new: Collection, catalog: Catalog, dialect: Dialect
) -> Collection:
    """A view whose query follows the renames of a collection that it reads from."""
    if not speaks_of(view, old.name):
        return view
    from undercroft.collections.view_renames import Renames, follow  # noqa: PLC0415 - as above

    query = plain_query(view.view_query)
    followed = follow(query, Renames(old, new, catalog, dialect))
    return view if followed == query else replace(view, view_query=followed)


def speaks_of(collection: Collection, name: str) -> bool:
    """Whether the query of a view has a name in it, as a table or by chance."""
    return collection.is_view and name.lower() in collection.view_query.lower()


def _find_trick(query: str) -> str:
    """Why the text cannot go between the parentheses of another statement without ending it early."""
    if len(query) > _LONGEST:
        return f"the query is longer than {_LONGEST} characters"
    tokens = tokenize(query)
    if tokens is None:
        return _SEVERAL if ";" in query else "the query has a quote that is not closed"
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if depth < 0:
            break
    if depth:
        return "the query has a parenthesis too many or too few"
    return "" if tokens else "the query is empty"
