"""CREATE INDEX statements, read and written."""

import pytest

from undercroft.collections.indexes import create_index, move_index, parse_index
from undercroft.database.sqlite_dialect import SqliteDialect


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("CREATE INDEX i ON box (a)", "CREATE INDEX i ON box (a)"),
        ("CREATE INDEX i ON `` (a)", "CREATE INDEX `i` ON `box` (`a`)"),
        ("create unique index i on BOX (lower(a))", "CREATE UNIQUE INDEX `i` ON `box` (lower(a))"),
        (
            "CREATE INDEX IF NOT EXISTS i ON x (a, \"b\" COLLATE NOCASE DESC) WHERE a != 'x;y'",
            "CREATE INDEX IF NOT EXISTS `i` ON `box` (\n  `a`,\n  `b` COLLATE NOCASE DESC\n) WHERE a != 'x;y'",
        ),
        ("CREATE INDEX [i j] ON `main`.x (a /* , */, b); ", "CREATE INDEX `i j` ON `box` (\n  `a`,\n  `b`\n)"),
    ],
)
def test_an_index_moves_to_its_collection(text, moved):
    """A statement for another table is rewritten in normal form; one for this table stays as it is."""
    assert move_index(text, "box") == moved


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nope",
        "CREATE INDEX ON box (a)",
        "CREATE INDEX `` ON box (a)",
        "CREATE INDEX i ON box ()",
        "CREATE INDEX i ON box (``)",
        "CREATE INDEX i ON box (a,)",
        "CREATE INDEX i ON box (a) nonsense",
        "CREATE INDEX i ON box (a) WHERE",
        "CREATE INDEX i ON box (a); DROP TABLE users",
        "CREATE INDEX i ON box (a",
        "CREATE INDEX i ON box ('a)",
        "CREATE TABLE i (a)",
    ],
)
def test_other_statements_are_no_index(text):
    """What is not exactly one CREATE INDEX is nothing."""
    assert parse_index(text) is None


def test_what_runs_is_made_from_the_parts():
    """Names are quoted, whatever they hold."""
    index = parse_index('CREATE UNIQUE INDEX "a""b" ON x ("c""d" DESC, e + 1)')

    assert create_index(index, "box", {}, SqliteDialect()) == 'CREATE UNIQUE INDEX "a""b" ON "box" ("c""d" DESC, e + 1)'
