"""Print which tests run on both engines, and which on one only, with the reason.

Run it from the repository: `python tools/engines.py`. It collects the tests and runs none: what
a test opens is read off the names in its code, its fixtures' and the helpers' that they call.
"""

from __future__ import annotations

import sys
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent / "tests"
REASONS = {
    "cli": "about the command itself: its start, its sockets, its signals, its options",
    "clients": "runs PocketBase's own SDK; what the server answers is tested elsewhere",
    "database": "about the inside of one engine",
    "demo": "about what the demo shows, as one starts it",
    "faults": "breaks what this engine has: its file and disk, or its server and network",
    "move": "begins on SQLite or on PostgreSQL and ends on the other",
    "peer": "compares with PocketBase, which has SQLite",
    "processes": "about what this engine has for several processes",
}
"""The rooms whose tests are not of behaviour, and why some of theirs run on one engine."""
MODULES = {
    "test_browser.py": "about what a browser makes of pages",
    "test_served.py": "about the files of a site on the wire",
    "test_s3_settings.py": "about the settings of a bucket",
    "test_tus_faults.py": "about the file of an upload",
}
"""Modules all of whose databases are of one engine, and why."""
FIXTURES = {
    "dev": "about letters in a folder",
    "serve_files": "about pages that have nothing to do with records",
}
"""Fixtures that open one engine wherever they are asked for, and why."""
ENGINES = {"sqlite", "postgresql"}
ONLY = {"sqlite_only": "sqlite", "postgresql_only": "postgresql"}
OPENERS = {
    ("undercroft.database.sqlite", "SqliteEngine"),
    ("undercroft.database.postgresql", "PostgresEngine"),
    ("undercroft.testing", "client"),
    ("undercroft.app", "App"),
    ("program", "serving"),
    ("program", "run"),
    ("servers", "running"),
}


@dataclass(frozen=True)
class Found:
    """A test: its id, its room, and the engines it runs on: "both", "none", or one, with the reason."""

    id: str
    room: str
    engines: str
    reason: str = ""


class _Collector:
    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)


def collect(*arguments: str) -> list[Found]:
    """Every test below a folder, both engines asked for."""
    collector = _Collector()
    with redirect_stdout(StringIO()) as told:
        code = pytest.main([*(arguments or (str(TESTS),)), "--collect-only", "-qq"], [collector])
    if code:
        raise SystemExit(told.getvalue())
    return [judge(item) for item in collector.items]


def judge(item: pytest.Item) -> Found:
    """What a test runs on."""
    room = item.path.relative_to(TESTS).parts[0]
    for name, engine in ONLY.items():
        if marker := item.get_closest_marker(name):
            return Found(item.nodeid, room, engine, str(marker.kwargs.get("reason") or (marker.args or ("",))[0]))
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("both_engines") or _has_engine_of_its_own(item):
        return Found(item.nodeid, room, "both")
    known = [*(FIXTURES[name] for name in FIXTURES if name in fixtures), MODULES.get(item.path.name), REASONS.get(room)]
    reason = next(filter(None, known), "")
    if "postgres" in fixtures:
        return Found(item.nodeid, room, "postgresql", reason)
    return Found(item.nodeid, room, "sqlite", reason) if _opened(item) else Found(item.nodeid, room, "none")


def _has_engine_of_its_own(item: pytest.Item) -> bool:
    """Whether it is one of a family of tests, some on one engine and some on the other."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    return any(isinstance(value, str) and value in ENGINES for value in params.values())


def _opened(item: pytest.Item) -> bool:
    """Whether it, or what it is given, opens a database."""
    definitions = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
    functions = [item.obj, *(definition.func for each in definitions for definition in each)]  # type: ignore[attr-defined]
    seen: set[Any] = set()
    return any(_opens(function, seen) for function in functions)


def _opens(function: Callable[..., Any], seen: set[Any]) -> bool:
    plain = getattr(function, "__wrapped__", function)
    code = getattr(plain, "__code__", None)
    if code is None or plain in seen:
        return False
    seen.add(plain)
    return any(_is_opener(value) or _opens_here(value, seen) for value in _mentioned(plain, code))


def _is_opener(value: Any) -> bool:
    return (getattr(value, "__module__", None), getattr(value, "__name__", None)) in OPENERS


def _opens_here(value: Any, seen: set[Any]) -> bool:
    """Whether one of our own helpers does."""
    source = getattr(sys.modules.get(getattr(value, "__module__", "") or ""), "__file__", None)
    return bool(source) and Path(str(source)).is_relative_to(TESTS) and callable(value) and _opens(value, seen)


def _mentioned(function: Any, code: types.CodeType) -> Iterator[Any]:
    """What the global names in a function's code stand for; of modules, their attributes that are named too."""
    names = set(_names(code))
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        yield value
        if isinstance(value, types.ModuleType):
            yield from (getattr(value, inner) for inner in names if hasattr(value, inner))


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names(inner)


def main() -> int:
    found = collect()
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for test in found:
        rooms[test.room][test.engines] += 1
    columns = ("both", "sqlite", "postgresql", "none")
    print(f"{'room':14}{'on both':>10}{'SQLite only':>14}{'PostgreSQL only':>18}{'no database':>14}")
    for room, counts in [*sorted(rooms.items()), ("all", sum(rooms.values(), Counter()))]:
        both, sqlite, postgresql, none = (counts[column] for column in columns)
        print(f"{room:14}{both:>10}{sqlite:>14}{postgresql:>18}{none:>14}")
    print("\nOn one engine only, because:")
    reasons = Counter((test.room, test.engines, test.reason) for test in found if test.engines in ENGINES)
    for (room, engine, reason), count in sorted(reasons.items()):
        print(f"{count:>6}  {room}, {'SQLite' if engine == 'sqlite' else 'PostgreSQL'}: {reason or 'NO REASON GIVEN'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
