"""What PostgreSQL is asked about its tables."""

from __future__ import annotations

from typing import Final

from undercroft.database.dialect import ColumnKind, SchemaQuestions

_TABLE: Final = "(SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = 'public'::regnamespace)"
_COLUMNS: Final = f"""SELECT a.attname::text, t.typname::text, a.attnotnull,
    a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '',
    coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = {_TABLE} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_FOREIGN_KEYS: Final = f"""SELECT c.conname::text, a.attname::text, r.relname::text, b.attname::text,
    CASE c.confdeltype WHEN 'c' THEN 'CASCADE' ELSE '' END
    FROM pg_constraint AS c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (own, other, place)
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.own
    JOIN pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.other
    JOIN pg_class AS r ON r.oid = c.confrelid
    WHERE c.contype = 'f' AND c.conrelid = {_TABLE} ORDER BY c.oid, k.place"""
_INDEXES: Final = f"""SELECT n.relname::text, i.indisunique,
    i.indpred IS NOT NULL OR a.attname IS NULL OR m.amname <> 'btree', coalesce(a.attname::text, '')
    FROM pg_index AS i JOIN pg_class AS n ON n.oid = i.indexrelid JOIN pg_am AS m ON m.oid = n.relam
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (own, place)
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.own AND k.own > 0
    WHERE i.indrelid = {_TABLE} AND NOT i.indisprimary AND k.place <= i.indnkeyatts ORDER BY n.relname, k.place"""
_KINDS: Final[dict[str, ColumnKind]] = {
    **dict.fromkeys(("text", "varchar", "bpchar"), "text"),
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric"), "number"),
    "bool": "bool",
    "timestamptz": "date",
    "jsonb": "json",
}

QUESTIONS: Final = SchemaQuestions(_COLUMNS, _FOREIGN_KEYS, _INDEXES, _KINDS.get)
