"""A running server whose hooks block it, end it, or never return."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from servers import Server, running

pytestmark = pytest.mark.sqlite_only(reason="about the event loop, which is the same on both")
HOOKS = """
import os, sys, time
from undercroft import on, route

@on.record_create("posts")
async def misbehave(event):
    what = event.record["title"]
    if what == "sleep":
        time.sleep(3600)
    if what == "spin":
        while True:
            pass
    if what == "spin and catch":
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass
    if what == "exit":
        sys.exit(1)
    if what == "read":
        os.read(os.pipe()[0], 1)

@on.record_validate("posts")
def misbehave_in_a_thread(event):
    if event.record["title"] == "sleep in a thread":
        time.sleep(3600)
    if event.record["title"] == "exit in a thread":
        sys.exit(1)

@route.get("/api/spin")
async def spin(request):
    while True:
        pass
"""
POSTS = "/api/collections/posts/records"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with hooks that do everything wrong."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "hooks").mkdir()
    (folder / "hooks" / "wrong.py").write_text(HOOKS)
    with running("undercroft", folder) as started:
        rules = {f"{action}Rule": "" for action in ("list", "create", "delete")}
        body = {"name": "posts", "fields": [{"name": "title", "type": "text"}], **rules}
        assert started.call("POST", "/api/collections", body).status_code == 200
        started.log = folder / "server.log"
        yield started


def is_serving(server: Server) -> bool:
    """Whether others can read and write."""
    reads = server.call("GET", POSTS, caller="guest").status_code == 200
    return reads and server.call("POST", POSTS, {"title": "fine"}, "guest").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["sleep", "spin", "spin and catch", "read", "exit", "exit in a thread"])
def test_a_hook_that_never_returns(server, wrong):
    """A hook that blocks the loop is broken off after two seconds; its change is undone, and the log has the line."""
    answer = server.call("POST", POSTS, {"title": wrong}, "guest")

    assert answer.status_code == 500
    assert answer.json()["data"] == {}
    assert "wrong.py" in server.log.read_text()
    assert is_serving(server)
    assert not server.call("GET", f"{POSTS}?filter=title%3D'{wrong}'", caller="guest").json()["items"]


@pytest.mark.slow
def test_a_thread_that_never_returns(server):
    """A plain function holds up its own write alone."""
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(server.call, "POST", POSTS, {"title": "sleep in a thread"}, "guest")
        reads = server.call("GET", POSTS, caller="guest").status_code
        answer = hanging.result(30)

    assert reads == 200
    assert answer.status_code == 503
    assert is_serving(server)


@pytest.mark.slow
def test_a_route_that_never_returns(server):
    """A route that blocks the loop is broken off as well."""
    assert server.call("GET", "/api/spin", caller="guest").status_code == 500
    assert is_serving(server)


@pytest.mark.slow
def test_everything_at_once(server):
    """Twenty requests of every kind at once leave a server that serves, and ends when it is told to."""
    wrong = ["spin", "exit", "exit in a thread", "fine"] * 5
    statuses: list[int] = []
    lock = threading.Lock()

    def ask(title: str) -> None:
        answer = httpx.post(server.url + POSTS, json={"title": title}, timeout=120)
        with lock:
            statuses.append(answer.status_code)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, wrong))

    assert len(statuses) == 20
    assert set(statuses) <= {200, 500, 503}
    assert is_serving(server)
