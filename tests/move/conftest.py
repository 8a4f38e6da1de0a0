"""Data directories with every type of field, and databases to move them to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner, Result
from everything import add_records, make_collections

from undercroft import testing
from undercroft.cli.move import command
from undercroft.database.postgresql_text import decode_text

RECORDS = 300


@dataclass
class Database:
    """A database as `undercroft move` names it, and a way to look into it behind the program's back."""

    name: str
    sql: Callable[[str], list[Any]]

    @property
    def is_file(self) -> bool:
        return "://" not in self.name


def _make_data(folder: Path, seed: int, records: int = RECORDS) -> Path:
    """A data directory with records of every type."""

    async def make() -> None:
        async with testing.client(folder) as client:
            await make_collections(client)
            await add_records(client, records, seed)

    asyncio.run(make())
    return folder


def _run_sql(folder: Path, sql: str, *values: Any) -> list[Any]:
    """Run a statement on a data directory's file."""
    connection = apsw.Connection(str(folder / "data.db"))
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


@dataclass
class Mover:
    """Runs `undercroft move` in a folder."""

    folder: Path

    def run(self, source: Path | str, target: Path | str, *options: str) -> Result:
        arguments = ["--from", str(source), "--to", str(target), "--report", str(self.folder / "report.txt"), *options]
        return CliRunner().invoke(command, arguments, catch_exceptions=False)

    @property
    def report(self) -> Any:
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    def hashes(self) -> dict[str, Any]:
        """What was in the source, by table."""
        return {table["name"]: table["source"] for table in self.report["tables"]}

    def misfits(self) -> list[tuple[str, str, str]]:
        """Where values did not fit: table, record and field."""
        return [(each["table"], each["record"], each["field"]) for each in self.report["misfits"]]


def pytest_generate_tests(metafunc):
    """Every move is tried to each engine."""
    if "target" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine")
        metafunc.parametrize("target", ["sqlite", "postgresql"] if chosen == "both" else [chosen], indirect=True)


@pytest.fixture
def target(request, tmp_path):
    """A database that is empty, or not made yet."""
    if request.param == "sqlite":
        folder = tmp_path / "other"
        return Database(str(folder), lambda sql: _run_sql(folder, sql))
    server = request.getfixturevalue("postgres")
    url = server.database()
    return Database(url, lambda sql: [tuple(map(_as_kept, row)) for row in server.run(sql, on=url)])


def _as_kept(value):
    """A value as it was given to PostgreSQL, which has no NUL."""
    return decode_text(value) if isinstance(value, str) else value


@pytest.fixture
def make_data():
    """Makes a data directory with so many records of every type."""
    return _make_data


@pytest.fixture
def data(tmp_path, make_data, seed):
    """A data directory with records of every type."""
    return make_data(tmp_path / "data", seed)


@pytest.fixture
def mover(tmp_path):
    return Mover(tmp_path)


@pytest.fixture
def sql():
    """Runs a statement on a data directory's file."""
    return _run_sql
