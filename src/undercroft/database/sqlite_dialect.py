"""How SQLite spells SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteDialect, SQLiteIdentifierPreparer
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NUMERIC, TEXT, TypeEngine

from undercroft.database.dialect import ColumnKind, Expression, Names, SchemaQuestions, Watch
from undercroft.database.limits import Limits
from undercroft.database.sqlite_schema import QUESTIONS

_COLUMN_TYPES: dict[ColumnKind, str] = {
    "id": "TEXT PRIMARY KEY DEFAULT ('r' || lower(hex(randomblob(7)))) NOT NULL",
    "text": "TEXT DEFAULT '' NOT NULL",
    "number": "NUMERIC DEFAULT 0 NOT NULL",
    "bool": "BOOLEAN DEFAULT FALSE NOT NULL",
    "date": "TEXT DEFAULT '' NOT NULL",
    "list": "JSON DEFAULT '[]' NOT NULL",
    "json": "JSON DEFAULT NULL",
    "geo": """JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL""",
    "bytes": "BLOB DEFAULT NULL",
}
_DEFAULTS: dict[ColumnKind, str] = {
    "text": "''",
    "number": "0",
    "date": "''",
    "list": "'[]'",
    "json": "NULL",
    "bytes": "NULL",
}
_CASTS: dict[ColumnKind, TypeEngine[Any]] = {"number": NUMERIC(), "bool": NUMERIC()}
_PATH_PART = re.compile(r"\w+")
_EARTH_RADIUS = "6371.0"


class SqliteDialect:
    """The spelling of SQLite.

    Every value in a statement must be a `bindparam` with a name of its own: texts
    are kept and run again with other values, so a value inside one is an error.
    """

    def __init__(self) -> None:
        self._spelling = _Spelling(paramstyle="qmark")

    def render(self, statement: ClauseElement, after: int = 0) -> tuple[str, Sequence[str]]:
        """SQL text with positional placeholders, and the bind names in their order."""
        del after
        compiled = statement.compile(dialect=self._spelling)
        if not isinstance(compiled, SQLCompiler):
            return str(compiled), ()
        _refuse_constants(compiled)
        return str(compiled), tuple(compiled.positiontup or ())

    def quote(self, name: str) -> str:
        """An identifier, quoted."""
        return '"' + name.replace('"', '""') + '"'

    def stored_name(self, name: str) -> str:
        """The same."""
        return name

    def placeholder(self, position: int, kind: ColumnKind | None = None) -> str:
        """The placeholder of the bound value at a position, counted from 1."""
        del position, kind
        return "?"

    def count_ids(self, table: str) -> str:
        """A whole statement: how many rows of a table have an id of one bound JSON array."""
        return f'SELECT count(*) FROM {self.quote(table)} WHERE "id" IN (SELECT "value" FROM json_each(?))'

    def holds_id(self, column: str, *, is_list: bool) -> str:
        """A condition: a relation column is, or as a JSON array holds, one bound id."""
        name = self.quote(column)
        return f'? IN (SELECT "value" FROM json_each({name}))' if is_list else f"{name} = ?"

    def explain(self, sql: str) -> str:
        """A statement that tells how the engine would run another."""
        return f"EXPLAIN QUERY PLAN {sql}"

    def plan_lines(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """What such a statement answered, as one line a step, indented by depth."""
        depths = {0: -1}
        lines = []
        for step, parent, _, detail in rows:
            depths[step] = depths.get(parent, -1) + 1
            lines.append("  " * depths[step] + detail)
        return lines

    @property
    def groups_strictly(self) -> bool:
        """Whether all that a grouped statement selects or sorts by must follow from its keys or be an aggregate."""
        return False

    def drop_table(self, name: str) -> str:
        """A statement that ends a table."""
        return f"DROP TABLE {self.quote(name)}"

    def drop_view(self, name: str) -> str:
        """A statement that ends a view if there is one."""
        return f"DROP VIEW IF EXISTS {self.quote(name)}"

    def view_query(self, query: str, names: Names) -> str:
        """The query of a view as it is."""
        del names
        return query

    def view_columns(self, columns: Mapping[str, ColumnKind], *, casts_id: bool) -> Sequence[str]:
        """What a view selects of its query; ids that may be no text become text."""
        names = {name: self.quote(name) for name in columns}
        return [f"CAST({names[n]} AS TEXT) AS {names[n]}" if casts_id and n == "id" else names[n] for n in names]

    def first_rows(self, select: str, limit: int) -> str:
        """A statement for the first rows of one that selects the columns of a view."""
        return f"{select} LIMIT {limit}"

    def index_column(self, name: str, collate: str, sort: str) -> str:
        """A column of an index."""
        return " ".join(filter(None, (self.quote(name), f"COLLATE {collate}" if collate else "", sort)))

    def index_expression(self, text: str, columns: Mapping[str, ColumnKind]) -> str:
        """An expression of an index as it is."""
        del columns
        return text

    def insertion_column(self) -> str:
        """Nothing: every table has its rowid."""
        return ""

    def column_type(self, kind: ColumnKind) -> str:
        """The full column definition after the name: type, default, NOT NULL."""
        return _COLUMN_TYPES[kind]

    def begin_watch(self, watch: Watch) -> str:
        """A trigger."""
        quote, column, beside = self.quote, self.quote(watch.column), self.quote(watch.beside)
        sets = ", ".join(f"{quote(name)} = {_DEFAULTS[kind]}" for name, kind in watch.forgets.items())
        return f"""CREATE TRIGGER {quote(watch.name)} AFTER UPDATE OF {column} ON {quote(watch.table)}
            WHEN NEW.{column} IS NOT OLD.{column} AND NEW.{beside} IS OLD.{beside}
            BEGIN UPDATE {quote(watch.table)} SET {sets} WHERE "id" = NEW."id"; END"""

    def end_watch(self, name: str, table: str) -> str:
        """A statement that ends the watch of that name if there is one."""
        del table
        return f"DROP TRIGGER IF EXISTS {self.quote(name)}"

    def list_from_one(self, column: str) -> str:
        """SQL that makes the value of a list column from the quoted text column of a single value."""
        return f"CASE WHEN {column} = '' THEN '[]' ELSE json_array({column}) END"

    def one_from_list(self, column: str) -> str:
        """SQL that gives the last element of the quoted list column, or empty text."""
        last = f"coalesce(json_extract({column}, '$[#-1]'), '')"
        return f"CASE WHEN NOT json_valid({column}) THEN '' WHEN json_type({column}) = 'array' THEN {last} ELSE '' END"

    def list_tables(self) -> str:
        """A statement that gives the names of all tables and views but SQLite's own."""
        return "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'"

    def list_views(self) -> str:
        """A statement that gives the name of each view and the statement that makes it."""
        return "SELECT name, sql FROM sqlite_schema WHERE type = 'view'"

    def counter_type(self) -> str:
        """The definition, after its name, of a primary key that counts upwards and never comes back to a number."""
        return "INTEGER PRIMARY KEY AUTOINCREMENT"

    def clock(self) -> str:
        """An expression: the seconds since 1970 by the clock of the machine, with their fractions."""
        return "unixepoch('subsec')"

    def refresh_statistics(self) -> str:
        """A statement after which the engine knows anew what its tables hold."""
        return "PRAGMA optimize"

    def skip_locked(self) -> str:
        """Nothing: there is one writer."""
        return ""

    def cast_value(self, kind: ColumnKind, value: Expression) -> Expression:
        """A bound value as if it stood in a column of this kind (its affinity or type)."""
        # A json column keeps what it is given, and CAST would make 0 of text that is no number.
        return value if kind in ("json", "bytes") else cast(value, _CASTS.get(kind, TEXT()))

    def elements(self, array: Expression, name: str) -> tuple[FromClause, Expression]:
        """A joinable set with one row an element of a JSON array column, and its value.

        A value that is no JSON array counts as its own only element, so that
        the same join serves a field that was or is single.
        """
        rows = func.json_each(_as_array(array)).table_valued("value", name=name)
        return rows, rows.c.value

    def contains(self, array: Expression, element: Expression) -> Expression:
        """Whether a JSON array column holds the element."""
        rows = func.json_each(_as_array(array)).table_valued("value").alias()
        found: Select[Any] = select(literal_column("1")).select_from(rows).where(rows.c.value == element)
        return exists(found.correlate_except(rows))

    def any_of(self, value: Expression, array: Expression) -> Expression:
        """Whether the value is one of a bound JSON array of texts."""
        rows = func.json_each(array).table_valued("value").alias()
        return value.in_(select(rows.c.value))

    def length(self, array: Expression) -> Expression:
        """The number of elements of a JSON array column; 0 when it holds none."""
        return case((func.json_valid(array), func.json_array_length(array)), else_=literal_column("0"))

    def json_path(self, value: Expression, path: Sequence[str]) -> Expression:
        """The scalar, or the JSON text, at a path; digits index arrays; NULL when missing.

        Text that is not JSON has no paths, and is itself at the empty one.
        """
        found: Expression = func.json_extract(value, literal_column(f"'{_path_text(path)}'"))
        return case((func.json_valid(value), found), else_=literal_column("NULL") if path else value)

    def like(self, left: Expression, pattern: Expression, *, negated: bool) -> Expression:
        """ASCII case-insensitive LIKE with backslash as escape."""
        return left.not_like(pattern, escape="\\") if negated else left.like(pattern, escape="\\")

    def lower(self, value: Expression) -> Expression:
        """ASCII lower case."""
        return func.lower(value)

    def ignoring_case(self, value: Expression) -> Expression:
        """The value as an index that ignores ASCII case compares it, so that the index serves."""
        return value.collate("NOCASE")

    def is_same(self, left: Expression, right: Expression, *, negated: bool) -> Expression:
        """NULL-safe comparison: IS or IS NOT."""
        return left.is_distinct_from(right) if negated else left.is_not_distinct_from(right)

    def strftime(self, arguments: Sequence[Expression]) -> Expression:
        """SQLite's strftime with its formats and modifiers; text or NULL."""
        return func.strftime(*arguments)

    def geo_distance(self, lon_a: Expression, lat_a: Expression, lon_b: Expression, lat_b: Expression) -> Expression:
        """Great-circle kilometres on a sphere of 6,371 km; NULL when a part is no number."""
        lon = _half_sine_squared(func.radians(lon_b) - func.radians(lon_a))
        lat = _half_sine_squared(func.radians(lat_b) - func.radians(lat_a))
        chord = lat + func.cos(func.radians(lat_a)) * func.cos(func.radians(lat_b)) * lon
        # Rounding may lift the chord of antipodes above 1, where asin has no answer.
        half_angle = func.asin(func.sqrt(func.min(literal_column("1.0"), chord)))
        return literal_column(f"2 * {_EARTH_RADIUS}") * half_angle

    def walk_hint(self, table: str, index: str) -> str:
        """What stands behind a table to make a statement follow one of its indexes; `""` where none is needed.

        SQLite decides without knowing how few rows a LIMIT leaves.
        """
        return f"INDEXED BY {self.quote(index or f'sqlite_autoindex_{table}_1')}"

    def random_order(self) -> Expression:
        """An expression to sort by that shuffles."""
        return func.random()

    def insertion_order(self, table: FromClause) -> Expression:
        """An expression to sort by that follows insertion."""
        rowid: ColumnElement[Any] = column("_rowid_", _selectable=table)
        return rowid

    def tie_break(self, table: FromClause) -> Expression | None:
        """Nothing: equal rows come in the order of a walk through the table or an index."""
        del table
        return None

    def limits(self) -> Limits:
        """What the engine can hold: anything, of any kind, in any column."""
        return Limits("SQLite")

    def text_bytes(self, column: str) -> str:
        """An expression that gives the text of a quoted column as bytes."""
        return f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"

    def set_counter(self, table: str, column: str) -> Sequence[str]:
        """None: an inserted number moves the counter by itself."""
        del table, column
        return ()

    def schema_questions(self) -> SchemaQuestions:
        """How to find out what a table looks like."""
        return QUESTIONS

    def change_source(self) -> str:
        """Nothing in particular: there is one writer at a time."""
        return "(SELECT 1)"

    def settled_change(self) -> str:
        """The newest entry."""
        return 'SELECT coalesce(max("id"), 0) FROM "_changes"'

    def count_others(self) -> str:
        """A statement: none that it knows of; the lock on the directory tells."""
        return "SELECT 0"


class _Quoting(SQLiteIdentifierPreparer):
    """Quotes every identifier, so that no list of reserved words decides what a name means."""

    def _requires_quotes(self, value: str) -> bool:
        del value
        return True


class _Compiler(SQLiteCompiler):
    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        del table
        return text

    def limit_clause(self, select: Select[Any], **kw: Any) -> str:
        limit = "-1" if select._limit_clause is None else self.process(select._limit_clause, **kw)  # noqa: SLF001 - the compiler's own hook reads it
        offset = select._offset_clause  # noqa: SLF001 - likewise
        return f"\n LIMIT {limit}" + ("" if offset is None else f" OFFSET {self.process(offset, **kw)}")


class _Spelling(SQLiteDialect):
    statement_compiler = _Compiler
    preparer = _Quoting
    supports_statement_cache = False


def _refuse_constants(compiled: SQLCompiler) -> None:
    for bind, name in compiled.bind_names.items():
        if not bind.required or bind.expanding:
            message = f"The value of {name!r} stands inside the statement: bind it by name, or write literal_column()."
            raise TypeError(message)


def _as_array(value: Expression) -> Expression:
    # json_type() of text that is not JSON is an error, and AND does not promise to stop early.
    is_array = func.iif(func.json_valid(value), func.json_type(value) == literal_column("'array'"), literal_column("0"))
    return case((is_array, value), else_=func.json_array(value))


def _path_text(path: Sequence[str]) -> str:
    for part in path:
        if not _PATH_PART.fullmatch(part):
            message = f"Not a JSON path part: {part!r}"
            raise ValueError(message)
    return "$" + "".join(f"[{part}]" if part.isdecimal() and part.isascii() else f".{part}" for part in path)


def _half_sine_squared(angle: Expression) -> Expression:
    return func.pow(func.sin(angle / literal_column("2.0")), literal_column("2.0"))
