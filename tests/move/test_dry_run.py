"""`undercroft move --dry-run`: what would not fit is listed, and nothing is written."""

from __future__ import annotations

import pytest

PLANTED = {
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
def elsewhere(postgres):
    """The URL of an empty PostgreSQL database, which takes only what is of its columns' types."""
    return postgres.database()


def test_what_fits_is_counted(data, target, mover, tmp_path):
    """When everything fits the command says so and exits with 0."""
    outcome = mover.run(data, target.name, "--dry-run")

    assert outcome.exit_code == 0
    assert "everything fits. Nothing was written." in outcome.output
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("column", PLANTED)
def test_a_value_that_does_not_fit_is_named(elsewhere, data, mover, sql, column):
    """A planted value is found, with its table, its record and its field."""
    record = sql(data, f"UPDATE things SET {column} = {PLANTED[column]} WHERE _rowid_ = 5 RETURNING id")[0][0]

    outcome = mover.run(data, elsewhere, "--dry-run")

    assert outcome.exit_code == 1
    assert mover.misfits() == [("things", record, column)]
    assert f"things {record} {column}: " in outcome.output


def test_nul_takes_more_room_in_an_index(elsewhere, data, mover, sql):
    """Text that fits as it is, and not as PostgreSQL holds it, is found before the index is made."""
    change = "UPDATE things SET code = replace(hex(zeroblob(350)), '0', char(0)) WHERE _rowid_ = 5 RETURNING id"
    record = sql(data, change)[0][0]

    assert mover.run(data, elsewhere, "--dry-run").exit_code == 1
    assert mover.misfits() == [("things", record, "code")]


def test_a_dry_run_leaves_nothing(elsewhere, data, mover, postgres):
    """The database has no more tables than before."""
    mover.run(data, elsewhere, "--dry-run")

    assert postgres.run("SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace", on=elsewhere) == []


def test_names_that_an_engine_keeps_to_itself_fit(elsewhere, data, mover, sql):
    """A field may have a name that PostgreSQL gives to columns of its own, or takes only shortened."""
    sql(data, "ALTER TABLE things RENAME COLUMN url TO xmin")
    sql(data, f"ALTER TABLE things RENAME COLUMN file TO {'x' * 90}")
    for old, new in (("url", "xmin"), ("file", "x" * 90)):
        change = f'replace(fields, \'"name":"{old}"\', \'"name":"{new}"\')'
        sql(data, f"UPDATE _collections SET fields = {change} WHERE name = 'things'")

    assert mover.run(data, elsewhere).exit_code == 0


def test_a_definition_that_is_refused_is_named(data, target, mover, sql):
    """A view that the target cannot make is found, and so is an index."""
    query = '{"viewQuery":"SELECT id, nothing FROM things"}'
    sql(data, "UPDATE _collections SET options = ? WHERE name = 'titles'", query)
    bad = '["CREATE INDEX bad ON things (nothing)"]'
    sql(data, "UPDATE _collections SET indexes = ? WHERE name = 'things'", bad)

    outcome = mover.run(data, target.name, "--dry-run")

    assert outcome.exit_code == 1
    assert mover.misfits() == [("things", "", "bad"), ("titles", "", "viewQuery")]


def test_values_that_become_the_same_are_named(elsewhere, data, mover, sql):
    """Two values that a unique index told apart, and that mean the same in the target, are found."""
    index = '["CREATE UNIQUE INDEX documents ON things (json)"]'
    sql(data, "UPDATE things SET json = '[' || _rowid_ || ']'")
    records = sql(
        data,
        "UPDATE things SET json = iif(_rowid_ = 5, '{\"a\":1}', '{\"a\":1.0}') WHERE _rowid_ IN (5, 9) RETURNING id",
    )
    sql(data, "UPDATE _collections SET indexes = ? WHERE name = 'things'", index)

    mover.run(data, elsewhere, "--dry-run")

    assert mover.misfits() == [("things", records[1][0], "json")]


def test_a_move_with_misfits_does_not_begin(elsewhere, data, mover, sql, postgres):
    """Without --dry-run the same is found, and the target stays empty."""
    sql(data, "UPDATE things SET date = 'never' WHERE _rowid_ = 5")

    outcome = mover.run(data, elsewhere)

    assert outcome.exit_code == 1
    assert "1 value does not fit" in outcome.output
    assert postgres.run("SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace", on=elsewhere) == []


def test_a_file_takes_anything(data, mover, sql, tmp_path):
    """SQLite holds any value in any column, so nothing of the kind keeps a move to it from working."""
    for column, value in PLANTED.items():
        if column != "email":
            sql(data, f"UPDATE things SET {column} = {value} WHERE _rowid_ = 5")

    assert mover.run(data, tmp_path / "other").exit_code == 0
    query = "SELECT * FROM things WHERE _rowid_ = 5"
    assert sql(tmp_path / "other", query) == sql(data, query)
