"""What SQLite is asked about its tables."""

from __future__ import annotations

from typing import Final

from undercroft.database.dialect import ColumnKind, SchemaQuestions

_COLUMNS: Final = """SELECT name, lower(type), "notnull" OR pk > 0, dflt_value IS NOT NULL, pk
    FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"""
_FOREIGN_KEYS: Final = """SELECT id, "from", "table", coalesce("to", 'id'), upper(on_delete)
    FROM pragma_foreign_key_list(?) ORDER BY id, seq"""
_INDEXES: Final = """SELECT iif(list.name GLOB 'sqlite_*', 'unique_' || substr(list.name, 18), list.name),
    list."unique", list.partial OR column.name IS NULL OR column.coll <> 'BINARY', coalesce(column.name, '')
    FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS column
    WHERE list.origin <> 'pk' AND column.key ORDER BY list.seq DESC, column.seqno"""
_WORDS: Final[tuple[tuple[str, ColumnKind], ...]] = (
    ("bool", "bool"),
    ("json", "json"),
    ("date", "date"),
    ("time", "date"),
    ("int", "number"),
    ("char", "text"),
    ("clob", "text"),
    ("text", "text"),
    ("real", "number"),
    ("floa", "number"),
    ("doub", "number"),
    ("num", "number"),
    ("dec", "number"),
)


def kind_of_type(declared: str) -> ColumnKind | None:
    """The kind of a declared type, by the words in it, as SQLite itself reads them."""
    return next((kind for word, kind in _WORDS if word in declared), None)


QUESTIONS: Final = SchemaQuestions(_COLUMNS, _FOREIGN_KEYS, _INDEXES, kind_of_type)
