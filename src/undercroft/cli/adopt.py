"""`undercroft adopt`: a collection over a table that is there already."""

from __future__ import annotations

import asyncio

import click

from undercroft.backend import Backend
from undercroft.cli.data import NoData, Place, open_data, place_options
from undercroft.collections.adoption import Adoption, plan_collection, plan_view, why_not
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.store import Store, adopt_collection, create_collection
from undercroft.database.engine import SqlError
from undercroft.database.found import FoundTable
from undercroft.database.introspect import find_strays, find_table
from undercroft.errors import FieldError, Invalid, Problem, did_you_mean
from undercroft.records.rules import check_rule


class NotAdopted(Problem):
    """The table cannot be a collection that is written through."""

    code = "not_adopted"

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f"{table} cannot be written as a collection: {reason}. "
            f"`undercroft adopt {table} --as NAME` makes a view of it, whose records can be read."
        )


@click.command()
@click.argument("table")
@click.option("--as", "name", metavar="NAME", help="Make a view of that name, whose records can be read only.")
@place_options
def command(table: str, name: str | None, place: Place) -> None:
    """Make a collection over TABLE, a table of the database that somebody else has made.

    A table whose primary key is one text column named id becomes a collection that is
    read and written. Any other can be shown with --as, through a view. No row of the table
    is changed; only superusers see the collection until it is given rules.

    \b
    Examples:
      undercroft adopt customers
      undercroft adopt orders --as all_orders
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    adoption, made = asyncio.run(run_adoption(table, name, place))
    kind = "a view, whose records can be read" if made.is_view else "a collection"
    click.echo(f"{made.name} is {kind}: {', '.join(field.name for field in made.fields)}")
    for note in adoption.notes:
        click.echo(f"- {note}")
    if not made.is_view:
        click.echo("Deleting the collection would delete the table with its rows.")


async def run_adoption(table: str, name: str | None, place: Place) -> tuple[Adoption, Collection]:
    """Make the collection. Raises `NoData`, `NotAdopted` and what its definition may raise."""
    async with open_data(place) as backend:
        engine = backend.engine
        found = await _find(backend, table)
        if name is not None and name != table:
            adoption = plan_view(found, name)
            return adoption, await _save(backend, adoption)
        if reason := why_not(found) or await _find_obstacle(backend, table):
            raise NotAdopted(table, reason)
        strays = await find_strays(engine.read, engine.dialect, found)
        if "id" in strays:
            raise NotAdopted(table, f"an id {strays['id']}")
        adoption = plan_collection(found, strays, backend.catalog)
        return adoption, await _save(backend, adoption)


async def _find(backend: Backend, table: str) -> FoundTable:
    if backend.catalog.by_name(table):
        raise NoData(f"{table} is a collection already.")
    found = await find_table(backend.engine.read, backend.engine.dialect, table)
    if found is None:
        names = [str(name) for (name,) in await backend.engine.read(backend.engine.dialect.list_tables())]
        raise NoData(f"There is no table {table!r}.{did_you_mean(table, names)}")
    return found


async def _find_obstacle(backend: Backend, table: str) -> str:
    """Why lists of a table would have no order; `""` when they have one, or will."""
    dialect = backend.engine.dialect
    if dialect.insertion_column():
        return ""
    try:
        await backend.engine.read(f'SELECT "_rowid_" FROM {dialect.quote(table)} LIMIT 0')
    except SqlError:
        return "it keeps no order of insertion (WITHOUT ROWID)"
    return ""


async def _save(backend: Backend, adoption: Adoption) -> Collection:
    def judge(collection: Collection, rule: str, catalog: Catalog) -> str | None:
        return check_rule(collection, rule, catalog, backend.engine.dialect)

    store = Store(backend.engine, backend.catalogs, judge)
    save = create_collection if adoption.body["type"] == "view" else adopt_collection
    try:
        return await save(store, adoption.body)
    except Invalid as problem:
        raise Problem(_explain(problem)) from None


def _explain(problem: Invalid) -> str:
    """What is wrong with the definition, on one line."""

    def walk(errors: object, path: str) -> list[str]:
        if isinstance(errors, FieldError):
            return [f"{path.strip('.')}: {errors.message}"]
        items = errors.items() if isinstance(errors, dict) else ()
        return [line for key, inner in items for line in walk(inner, f"{path}.{key}")]

    return " ".join(walk(dict(problem.data), "")) or problem.message()
