"""Behaviour is tested on both engines; what runs on one says why."""

from engines import ENGINES, collect


def test_what_runs_on_one_engine_says_why():
    """Ask for `client`, `engine` or `database` to run on both, or give `sqlite_only` or `postgresql_only` a reason."""
    found = collect()

    assert [test.id for test in found if test.engines in ENGINES and not test.reason] == []
    assert {test.engines for test in found} == {"both", "sqlite", "postgresql", "none"}
