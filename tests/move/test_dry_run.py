"""`undercroft move --dry-run`: what would not fit is listed, and nothing is written."""

from __future__ import annotations

import pytest

from undercroft.database.limits import Limits
from undercroft.database.sqlite_dialect import SqliteDialect

STRICT = Limits(
    "Strict",
    is_typed=True,
    holds_nul=False,
    name_bytes=63,
    key_bytes=2700,
    reserved_columns=frozenset({"Order"}),
)
PLANTED = {
    "text": "'a' || char(0)",
    "number": "'twelve'",
    "bool": "7",
    "date": "'yesterday'",
    "json": "'{'",
    "many": "'sea'",
    "editor": "x'ff'",
    "place": "'[]'",
    "code": "printf('%.*c', 3000, 'x')",
    "email": "CAST(x'c328' AS TEXT)",
}


@pytest.fixture
def strict(monkeypatch):
    """A target that is as strict as a typed engine."""
    monkeypatch.setattr(SqliteDialect, "limits", lambda _: STRICT)


def test_what_fits_is_counted(data, mover, tmp_path):
    """When everything fits the command says so and exits with 0."""
    outcome = mover.run(data, tmp_path / "other", "--dry-run")

    assert outcome.exit_code == 0
    assert "everything fits. Nothing was written." in outcome.output
    assert not (data.parent / "other").exists()


@pytest.mark.parametrize("column", PLANTED)
def test_a_value_that_does_not_fit_is_named(strict, data, mover, sql, column):
    """A planted value is found, with its table, its record and its field."""
    record = sql(data, f"UPDATE things SET {column} = {PLANTED[column]} WHERE _rowid_ = 5 RETURNING id")[0][0]

    outcome = mover.run(data, data.parent / "other", "--dry-run")

    assert outcome.exit_code == 1
    assert ("things", record, column) in mover.misfits()
    assert f"things {record} {column}: " in outcome.output
    assert not (data.parent / "other").exists()


def test_a_name_that_does_not_fit_is_named(strict, data, mover, tmp_path):
    """A field whose name the target keeps to itself is found."""
    mover.run(data, tmp_path / "other", "--dry-run")

    assert mover.misfits() == [("things", "", "Order")]


def test_a_definition_that_is_refused_is_named(data, mover, sql, tmp_path):
    """A view that the target cannot make is found, and so is an index."""
    sql(
        data,
        'UPDATE _collections SET options = \'{"viewQuery":"SELECT id, nothing FROM things"}\' WHERE name = ?',
        "titles",
    )
    bad = '["CREATE INDEX bad ON things (nothing)"]'
    sql(data, "UPDATE _collections SET indexes = ? WHERE name = 'things'", bad)

    outcome = mover.run(data, tmp_path / "other", "--dry-run")

    assert outcome.exit_code == 1
    assert mover.misfits() == [("things", "", "bad"), ("titles", "", "viewQuery")]


def test_a_move_with_misfits_does_not_begin(strict, data, mover, tmp_path):
    """Without --dry-run the same is found, and the target is not even made."""
    outcome = mover.run(data, tmp_path / "other")

    assert outcome.exit_code == 1
    assert "1 do not fit" in outcome.output
    assert not (tmp_path / "other" / "data.db").exists()
