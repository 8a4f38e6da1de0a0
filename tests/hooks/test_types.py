"""Hooks are typed: a strict checker knows what an event has."""

from __future__ import annotations

import subprocess
import sys

import pytest

GOOD = """
from undercroft import App, mount, on, route
from undercroft.moments import RecordCreate, RecordUpdated, RequestEvent, RouteRequest


@on.record_create("briefs", "posts", priority=3)
async def stamp(event: RecordCreate) -> None:
    event.record["title"] = event.record["title"].strip()
    before = await event.records.as_system().briefs.count("title = {:title}", title="x")
    if before:
        raise event.refuse("Taken.", field="title")
    await event.next()
    await event.mail("a@example.com", "New", text="x")


@on.record_updated()
def tell(event: RecordUpdated) -> None:
    print(event.original["title"], event.identity and event.identity.id)


@on.records_list_request("briefs")
async def look(event: RequestEvent) -> None:
    await event.next()
    event.answer = {**event.answer, "x": 1}


@route.get("/api/hello/{name}", auth="auth", limit=1000)
async def hello(request: RouteRequest) -> dict[str, str]:
    return {"hello": request.params["name"]}


app = App("data")


@app.on.record_created("x")
async def created(event: object) -> None: ...
"""
BAD = """
from undercroft import on
from undercroft.moments import RecordUpdate


@on.record_create("briefs")
async def stamp(event: RecordUpdate) -> None: ...


@on.record_craete("briefs")
async def other(event: object) -> None: ...


@on.serve("briefs")
async def third(event: object) -> None: ...
"""


def check(tmp_path, text):
    """What mypy says of a file of hooks."""
    file = tmp_path / "hooks.py"
    file.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout


@pytest.mark.slow
def test_good_hooks(tmp_path):
    """A file of hooks passes the strictest check."""
    assert "Success" in check(tmp_path, GOOD)


@pytest.mark.slow
def test_bad_hooks(tmp_path):
    """A wrong event, a moment that is not there, and names where there are none are found before the start."""
    told = check(tmp_path, BAD)

    assert 'expected "Callable[[RecordCreate]' in told
    assert 'has no attribute "record_craete"' in told
    assert "Too many positional arguments" in told or "Too many arguments" in told
