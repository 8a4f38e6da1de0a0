"""How PostgreSQL spells SQL.

Columns have native types: text `COLLATE "C"`, which sorts by bytes as SQLite does and
needs no rebuilding when a system's locale data change; `timestamptz` for dates, where the
empty date is `-infinity` and so sorts first; `jsonb`, `boolean` and `double precision`. How
values of different kinds compare is in `postgresql_compiler`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import FromClause, Function, column, literal_column, type_coerce
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from undercroft.database.dialect import ColumnKind, Expression, Kind, Names, SchemaQuestions, Watch
from undercroft.database.limits import Limits
from undercroft.database.postgresql_compiler import BIND_TYPES, Spelling, quote_name, stored_name
from undercroft.database.postgresql_schema import QUESTIONS
from undercroft.database.postgresql_text import SPELLED_LENGTH

_RANDOM_ID: Final = "('r' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 14))"
_COLUMN_TYPES: Final[dict[ColumnKind, str]] = {
    "id": f'text COLLATE "C" PRIMARY KEY DEFAULT {_RANDOM_ID} NOT NULL',
    "text": """text COLLATE "C" DEFAULT '' NOT NULL""",
    "number": "double precision DEFAULT 0 NOT NULL",
    "bool": "boolean DEFAULT false NOT NULL",
    "date": "timestamptz DEFAULT '-infinity' NOT NULL",
    "list": "jsonb DEFAULT '[]' NOT NULL",
    "json": "jsonb DEFAULT NULL",
    "geo": """jsonb DEFAULT '{"lon":0,"lat":0}' NOT NULL""",
    "bytes": "bytea DEFAULT NULL",
}
_DEFAULTS: Final[dict[ColumnKind, Any]] = {
    "text": "",
    "number": 0,
    "date": "-infinity",
    "list": [],
    "json": None,
    "bytes": None,
}
_LIMITS: Final = Limits(
    "PostgreSQL",
    is_typed=True,
    key_bytes=2704,  # BTMaxItemSize, a third of a page
    control_bytes=SPELLED_LENGTH,
)
_VIEW_COLUMNS: Final[dict[ColumnKind, str]] = {
    "id": 'any_text({}) COLLATE "C"',
    "text": 'any_text({}) COLLATE "C"',
    "number": "any_number({})",
    "bool": "any_bool({})",
    "json": "any_json({})",
}
_PLACEHOLDER: Final = re.compile(r"\$(\d+)")
_PATH_PART: Final = re.compile(r"\w+")


class PostgresDialect:
    """The spelling of PostgreSQL 13 and later.

    Every value in a statement must be a `bindparam` with a name of its own.
    """

    def __init__(self) -> None:
        self._spelling = Spelling(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's own

    def render(self, statement: ClauseElement, after: int = 0) -> tuple[str, Sequence[str]]:
        """SQL text with positional placeholders, and the bind names in their order."""
        compiled = statement.compile(dialect=self._spelling)
        if not isinstance(compiled, SQLCompiler):
            return str(compiled), ()
        text = str(compiled)
        if after:
            text = _PLACEHOLDER.sub(lambda found: f"${int(found[1]) + after}", text)
        return text, tuple(compiled.positiontup or ())

    def quote(self, name: str) -> str:
        """An identifier, quoted; one that is too long for PostgreSQL is shortened to one of its own."""
        return quote_name(name)

    def stored_name(self, name: str) -> str:
        """What PostgreSQL itself calls a column of that name, as in what it says of unique values."""
        return stored_name(name)

    def placeholder(self, position: int, kind: ColumnKind | None = None) -> str:
        """The placeholder of the bound value at a position, counted from 1."""
        return f"${position}::{BIND_TYPES[kind]}" if kind else f"${position}"

    def count_ids(self, table: str) -> str:
        """A whole statement: how many rows of a table have an id of one bound JSON array."""
        ids = "ARRAY(SELECT jsonb_array_elements_text($1::jsonb))"
        return f'SELECT count(*) FROM {self.quote(table)} WHERE "id" = ANY ({ids})'

    def holds_id(self, column: str, *, is_list: bool) -> str:
        """A condition: a relation column is, or as a JSON array holds, one bound id."""
        return f"{self.quote(column)} {'?' if is_list else '='} $1"

    def explain(self, sql: str) -> str:
        """A statement that tells how the engine would run another."""
        return f"EXPLAIN (COSTS off) {sql}"

    def plan_lines(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """What such a statement answered, as one line a step, indented by depth."""
        return [str(line).replace("->  ", "") for (line,) in rows]

    @property
    def groups_strictly(self) -> bool:
        """Whether all that a grouped statement selects or sorts by must follow from its keys or be an aggregate."""
        return True

    def drop_table(self, name: str) -> str:
        """A statement that ends a table and the views that read from it."""
        return f"DROP TABLE {self.quote(name)} CASCADE"

    def drop_view(self, name: str) -> str:
        """A statement that ends a view and the views that read from it."""
        return f"DROP VIEW IF EXISTS {self.quote(name)} CASCADE"

    def view_query(self, query: str, names: Names) -> str:
        """The query of a view, which is in SQLite's words, in PostgreSQL's."""
        # The SQL parser is large, and most servers never change a view.
        from undercroft.database.postgresql_views import translate  # noqa: PLC0415 - see above

        return translate(query, names)

    def view_columns(self, columns: Mapping[str, ColumnKind], *, casts_id: bool) -> Sequence[str]:
        """What a view selects of its query, so that each column holds what fields of its kind do, and its order."""
        as_they_are = {name for name, kind in columns.items() if kind == "id" and not casts_id}
        spelled = [self._view_column(name, "list" if name in as_they_are else kind) for name, kind in columns.items()]
        return [*spelled, '"_rowid_"']

    def first_rows(self, select: str, limit: int) -> str:
        """A statement for the first rows of one that selects the columns of a view."""
        return f'{select} ORDER BY "_rowid_" LIMIT {limit}'

    def _view_column(self, name: str, kind: ColumnKind) -> str:
        quoted = self.quote(name)
        made = _VIEW_COLUMNS.get(kind)
        return f"undercroft.{made.format(quoted)} AS {quoted}" if made else quoted

    def index_column(self, name: str, collate: str, sort: str) -> str:
        """A column of an index, with missing values where SQLite has them."""
        quoted = f'lower({self.quote(name)} COLLATE "C")' if collate.upper() == "NOCASE" else self.quote(name)
        return f"{quoted} DESC NULLS LAST" if sort == "DESC" else f"{quoted} ASC NULLS FIRST"

    def index_expression(self, text: str, columns: Mapping[str, ColumnKind]) -> str:
        """An expression of an index in SQLite's words, in PostgreSQL's."""
        from undercroft.database.postgresql_views import translate_expression  # noqa: PLC0415 - as above

        return translate_expression(text, columns)

    def insertion_column(self) -> str:
        """The definition of a hidden column that follows insertion, after a comma."""
        return ', "_rowid_" bigint GENERATED ALWAYS AS IDENTITY UNIQUE'

    def column_type(self, kind: ColumnKind) -> str:
        """The full column definition after the name: type, default, NOT NULL."""
        return _COLUMN_TYPES[kind]

    def begin_watch(self, watch: Watch) -> str:
        """A trigger that calls the function `undercroft.forget`."""
        quote, column, beside = self.quote, self.quote(watch.column), self.quote(watch.beside)
        forgets = json.dumps({self.stored_name(name): _DEFAULTS[kind] for name, kind in watch.forgets.items()})
        argument = forgets.replace("'", "''")
        return f"""CREATE TRIGGER {quote(watch.name)} BEFORE UPDATE OF {column} ON {quote(watch.table)} FOR EACH ROW
            WHEN (NEW.{column} IS DISTINCT FROM OLD.{column} AND NEW.{beside} IS NOT DISTINCT FROM OLD.{beside})
            EXECUTE FUNCTION undercroft.forget('{argument}')"""

    def end_watch(self, name: str, table: str) -> str:
        """A statement that ends the watch of that name if there is one."""
        return f"DROP TRIGGER IF EXISTS {self.quote(name)} ON {self.quote(table)}"

    def list_from_one(self, column: str) -> str:
        """SQL that makes the value of a list column from the quoted text column of a single value."""
        return f"CASE WHEN {column} = '' THEN '[]'::jsonb ELSE jsonb_build_array({column}) END"

    def one_from_list(self, column: str) -> str:
        """SQL that gives the last element of the quoted list column, or empty text."""
        return f"CASE WHEN jsonb_typeof({column}) = 'array' THEN coalesce({column} ->> -1, '') ELSE '' END"

    def list_tables(self) -> str:
        """A statement that gives the names of all tables and views."""
        return """SELECT relname::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"""

    def list_views(self) -> str:
        """A statement that gives the name of each view and the statement that makes it, what others need first."""
        return """SELECT relname::text, format('CREATE VIEW %I AS %s', relname, pg_get_viewdef(oid)) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' ORDER BY oid"""

    def counter_type(self) -> str:
        """The definition, after its name, of a primary key that counts upwards and never comes back to a number."""
        return "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"

    def clock(self) -> str:
        """An expression: the seconds since 1970 by the server's clock, with their fractions."""
        return "extract(epoch FROM clock_timestamp())::double precision"

    def refresh_statistics(self) -> str:
        """A statement after which the engine knows anew what its tables hold."""
        return "ANALYZE"

    def skip_locked(self) -> str:
        """What stands behind a SELECT so that it passes over rows that another one works on."""
        return " FOR UPDATE SKIP LOCKED"

    def cast_value(self, kind: ColumnKind, value: Expression) -> Expression:
        """A bound value as if it stood in a column of this kind."""
        return type_coerce(value, Kind(kind))

    def elements(self, array: Expression, name: str) -> tuple[FromClause, Expression]:
        """A joinable set with one row an element of a JSON array, and its value.

        Of a list they are texts, of other JSON whatever stands there.
        """
        is_list = isinstance(array.type, Kind) and array.type.kind == "list"
        made = _function("element_texts" if is_list else "elements", "text" if is_list else "json", array)
        value: Any = column("value", Kind("text" if is_list else "json"))
        rows = made.table_valued(value, name=name)
        return rows, rows.c.value

    def contains(self, array: Expression, element: Expression) -> Expression:
        """Whether a JSON array column holds the element."""
        return array.bool_op("?")(element)

    def any_of(self, value: Expression, array: Expression) -> Expression:
        """Whether the value is one of a bound JSON array of texts."""
        return value == _function("any_of", "text", type_coerce(array, Kind("list")))

    def length(self, array: Expression) -> Expression:
        """The number of elements of a JSON array column; 0 when it holds none."""
        return _function("list_length", "number", array)

    def json_path(self, value: Expression, path: Sequence[str]) -> Expression:
        """The scalar, or the JSON text, at a path; digits index arrays; NULL when missing."""
        for part in path:
            if not _PATH_PART.fullmatch(part):
                message = f"Not a JSON path part: {part!r}"
                raise ValueError(message)
        return _function("path", "json", value, literal_column(f"'{{{','.join(path)}}}'"))

    def like(self, left: Expression, pattern: Expression, *, negated: bool) -> Expression:
        """ASCII case-insensitive LIKE with backslash as escape."""
        return left.bool_op("NOT ILIKE" if negated else "ILIKE")(pattern)

    def lower(self, value: Expression) -> Expression:
        """ASCII lower case."""
        return _function("lower", "text", value)

    def ignoring_case(self, value: Expression) -> Expression:
        """The value as an index that ignores ASCII case compares it, so that the index serves."""
        return self.lower(value)

    def is_same(self, left: Expression, right: Expression, *, negated: bool) -> Expression:
        """NULL-safe comparison: IS or IS NOT."""
        return left.is_distinct_from(right) if negated else left.is_not_distinct_from(right)

    def strftime(self, arguments: Sequence[Expression]) -> Expression:
        """SQLite's strftime with its formats and modifiers; text or NULL."""
        return _function("strftime", "text", *arguments)

    def geo_distance(self, lon_a: Expression, lat_a: Expression, lon_b: Expression, lat_b: Expression) -> Expression:
        """Great-circle kilometres on a sphere of 6,371 km; NULL when a part is no number."""
        return _function("geo_distance", "number", lon_a, lat_a, lon_b, lat_b)

    def walk_hint(self, table: str, index: str) -> str:
        """Nothing: the planner weighs the limit."""
        del table, index
        return ""

    def random_order(self) -> Expression:
        """An expression to sort by that shuffles."""
        return _function("random", "number")

    def insertion_order(self, table: FromClause) -> Expression:
        """An expression to sort by that follows insertion."""
        return column("_rowid_", Kind("number"), _selectable=table)

    def tie_break(self, table: FromClause) -> Expression | None:
        """Insertion order: an update moves a row within its table, which nobody should notice."""
        return self.insertion_order(table)

    def limits(self) -> Limits:
        """What the engine can hold."""
        return _LIMITS

    def text_bytes(self, column: str) -> str:
        """The text itself, which is never broken here."""
        return column

    def set_counter(self, table: str, column: str) -> Sequence[str]:
        """Statements after which a counting column goes on behind the highest number that was inserted."""
        name, counted = self.quote(table), self.quote(column)
        sequence = f"pg_get_serial_sequence('{name}', '{column}')"
        return (f"SELECT setval({sequence}, greatest(max({counted}), 1), max({counted}) IS NOT NULL) FROM {name}",)

    def schema_questions(self) -> SchemaQuestions:
        """How to find out what a table looks like."""
        return QUESTIONS

    def change_source(self) -> str:
        """A claim to a place in the log; see changes.sql."""
        return "undercroft.claim_change()"

    def settled_change(self) -> str:
        """The lowest place that somebody claims."""
        return "SELECT undercroft.settled_change()"

    def count_others(self) -> str:
        """A statement: how many other connections programs of this kind have to the database."""
        return """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'undercroft' AND pid <> pg_backend_pid()"""


def _function(name: str, kind: ColumnKind, *arguments: Expression) -> Function[Any]:
    return Function(name, *arguments, type_=Kind(kind))
