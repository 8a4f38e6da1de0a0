"""How an engine spells SQL: the one place where engines differ in text.

`query` and `collections` ask a `Dialect` for expressions and types; they never
ask for its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import NullType

from undercroft.database.limits import Limits

ColumnKind = Literal["id", "text", "number", "bool", "date", "list", "json", "geo", "bytes"]
"""What a column holds. `list` is a JSON array of texts; `geo` a JSON object with lon and lat; `bytes` may be NULL."""

Expression = ColumnElement[Any]
Names = Mapping[str, Mapping[str, ColumnKind]]
"""Tables by name, and the kinds of their columns."""


class Kind(NullType):
    """Says what a column or a bound value holds, to engines that compare by type.

    A `NullType` otherwise, so that SQLAlchemy neither converts values nor guesses operators.
    """

    cache_ok = True

    def __init__(self, kind: ColumnKind) -> None:
        self.kind = kind


@dataclass(frozen=True, slots=True)
class SchemaQuestions:
    """How an engine is asked what tables look like, and what its types hold.

    The statements each take the name of a table. `columns` gives name, type in lower case,
    whether it is NOT NULL, whether it has a value when none is given, and its place in the
    primary key, from 1, or 0. `foreign_keys` gives a name of the key, column, table referred
    to, column there, and what a deletion does. `indexes` gives name, whether it is unique,
    whether some of it cannot be told here, and column, in order. `kind` says what a
    column of a type holds; None when nothing of ours.
    """

    columns: str
    foreign_keys: str
    indexes: str
    kind: Callable[[str], ColumnKind | None]


@dataclass(frozen=True, slots=True)
class Watch:
    """What the database does by itself when a row of `table` is updated.

    Where `column` changes and `beside` does not, the columns that it `forgets` go back to the default of their kind.
    """

    name: str
    table: str
    column: str
    beside: str
    forgets: Mapping[str, ColumnKind]


class Dialect(Protocol):
    """The spelling of one engine."""

    def render(self, statement: ClauseElement, after: int = 0) -> tuple[str, Sequence[str]]:
        """SQL text with positional placeholders, and the bind names in their order.

        `after` is how many placeholders stand before it, where it is a part of a statement.
        """
        ...

    def quote(self, name: str) -> str:
        """An identifier, quoted."""
        ...

    def stored_name(self, name: str) -> str:
        """What the engine itself calls a column of that name, as in what it says of unique values."""
        ...

    def placeholder(self, position: int, kind: ColumnKind | None = None) -> str:
        """The placeholder of the bound value at a position, counted from 1.

        The kind must be said where no column beside it tells.
        """
        ...

    def count_ids(self, table: str) -> str:
        """A whole statement: how many rows of a table have an id of one bound JSON array."""
        ...

    def holds_id(self, column: str, *, is_list: bool) -> str:
        """A condition: a relation column is, or as a JSON array holds, one bound id."""
        ...

    def explain(self, sql: str) -> str:
        """A statement that tells how the engine would run another."""
        ...

    def plan_lines(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """What such a statement answered, as one line a step, indented by depth."""
        ...

    @property
    def groups_strictly(self) -> bool:
        """Whether all that a grouped statement selects or sorts by must follow from its keys or be an aggregate."""
        ...

    def drop_table(self, name: str) -> str:
        """A statement that ends a table; views that read from it may end with it."""
        ...

    def drop_view(self, name: str) -> str:
        """A statement that ends a view if there is one; views that read from it may end with it."""
        ...

    def view_query(self, query: str, names: Names) -> str:
        """The query of a view, which is in SQLite's words, in the engine's own."""
        ...

    def view_columns(self, columns: Mapping[str, ColumnKind], *, casts_id: bool) -> Sequence[str]:
        """What a view selects of its query, so that each column holds what fields of its kind do.

        Hidden ones may follow. `casts_id` says that an id may be something else than text.
        """
        ...

    def first_rows(self, select: str, limit: int) -> str:
        """A statement for the first rows of one that selects the columns of a view."""
        ...

    def index_column(self, name: str, collate: str, sort: str) -> str:
        """A column of an index; its collation and direction are in SQLite's words."""
        ...

    def index_expression(self, text: str, columns: Mapping[str, ColumnKind]) -> str:
        """An expression of an index in SQLite's words, in the engine's own."""
        ...

    def insertion_column(self) -> str:
        """A hidden column that follows insertion, behind a comma; `""` where rows know by themselves."""
        ...

    def column_type(self, kind: ColumnKind) -> str:
        """The full column definition after the name: type, default, NOT NULL."""
        ...

    def begin_watch(self, watch: Watch) -> str:
        """A statement after which the database keeps that watch."""
        ...

    def end_watch(self, name: str, table: str) -> str:
        """A statement that ends the watch of that name if there is one."""
        ...

    def list_from_one(self, column: str) -> str:
        """SQL that makes the value of a list column from the quoted text column of a single value."""
        ...

    def one_from_list(self, column: str) -> str:
        """SQL that gives the last element of the quoted list column, or empty text."""
        ...

    def list_tables(self) -> str:
        """A statement that gives the names of all tables and views."""
        ...

    def list_views(self) -> str:
        """A statement that gives the name of each view and the statement that makes it."""
        ...

    def counter_type(self) -> str:
        """The definition, after its name, of a primary key that counts upwards and never comes back to a number."""
        ...

    def clock(self) -> str:
        """An expression: the seconds since 1970 by the database's own clock, with their fractions."""
        ...

    def refresh_statistics(self) -> str:
        """A statement after which the engine knows anew what its tables hold, so that it plans well."""
        ...

    def skip_locked(self) -> str:
        """What stands behind a SELECT so that it passes over rows that another one works on; `""` where one waits."""
        ...

    def cast_value(self, kind: ColumnKind, value: Expression) -> Expression:
        """A bound value as if it stood in a column of this kind (its affinity or type)."""
        ...

    def elements(self, array: Expression, name: str) -> tuple[FromClause, Expression]:
        """A joinable set with one row an element of a JSON array, and its column `value`."""
        ...

    def contains(self, array: Expression, element: Expression) -> Expression:
        """Whether a JSON array column holds the element."""
        ...

    def any_of(self, value: Expression, array: Expression) -> Expression:
        """Whether the value is one of a bound JSON array of texts."""
        ...

    def length(self, array: Expression) -> Expression:
        """The number of elements of a JSON array column; 0 when it holds none."""
        ...

    def json_path(self, value: Expression, path: Sequence[str]) -> Expression:
        """The scalar, or the JSON text, at a path; digits index arrays; NULL when missing."""
        ...

    def like(self, left: Expression, pattern: Expression, *, negated: bool) -> Expression:
        """ASCII case-insensitive LIKE with backslash as escape."""
        ...

    def lower(self, value: Expression) -> Expression:
        """ASCII lower case."""
        ...

    def ignoring_case(self, value: Expression) -> Expression:
        """The value as an index that ignores ASCII case compares it, so that the index serves."""
        ...

    def is_same(self, left: Expression, right: Expression, *, negated: bool) -> Expression:
        """NULL-safe comparison: IS or IS NOT."""
        ...

    def strftime(self, arguments: Sequence[Expression]) -> Expression:
        """SQLite's strftime with its formats and modifiers; text or NULL."""
        ...

    def geo_distance(self, lon_a: Expression, lat_a: Expression, lon_b: Expression, lat_b: Expression) -> Expression:
        """Great-circle kilometres on a sphere of 6,371 km; NULL when a part is no number."""
        ...

    def walk_hint(self, table: str, index: str) -> str:
        """What stands behind a table to make a statement follow one of its indexes; `""` where none is needed.

        The empty index name means that of the primary key.
        """
        ...

    def random_order(self) -> Expression:
        """An expression to sort by that shuffles."""
        ...

    def insertion_order(self, table: FromClause) -> Expression:
        """An expression to sort by that follows insertion."""
        ...

    def tie_break(self, table: FromClause) -> Expression | None:
        """What to sort by in the end where the engine would return equal rows in any order; None where it would not."""
        ...

    def limits(self) -> Limits:
        """What the engine can hold."""
        ...

    def text_bytes(self, column: str) -> str:
        """An expression that gives the text of a quoted column as bytes, for engines that keep broken text."""
        ...

    def set_counter(self, table: str, column: str) -> Sequence[str]:
        """Statements after which a counting column goes on behind the highest number that was inserted."""
        ...

    def change_source(self) -> str:
        """What an entry of the change log is selected from, so that readers of the log know that it is to come."""
        ...

    def settled_change(self) -> str:
        """A statement: the position up to which no entry of the change log is still to come."""
        ...

    def count_others(self) -> str:
        """A statement: how many other programs of this kind use the database, as far as its server knows."""
        ...

    def schema_questions(self) -> SchemaQuestions:
        """How to find out what a table looks like."""
        ...
