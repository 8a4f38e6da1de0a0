"""The eight works, each as a `wrk` run."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from servers import Server
from world import World

RECORDS = "/api/collections/articles/records"
LIST = f"{RECORDS}?perPage=30&sort=-created"
JSON_BODY = 'wrk.headers["Content-Type"] = "application/json"'
NEW_ARTICLE = (
    '\'{"title":"Fresh \' .. n .. \'","body":"<p>stone arch vault</p>","byline":"bench","views":\' .. n .. '
    '\',"published":true,"tags":["stone","arch"],"kind":"news"}\''
)


@dataclass(frozen=True)
class Work:
    """One kind of request. `script` makes the Lua that makes the requests, when a URL is not enough."""

    name: str
    path: str = ""
    script: Callable[[Server, World], str] | None = None
    signed_in: bool = False


@dataclass(frozen=True)
class Load:
    """What one run measured."""

    per_second: float
    cpu_microseconds: float
    p99_milliseconds: float
    failed: int


def run_work(work: Work, server: Server, world: World, seconds: float, connections: int) -> Load:
    """Put a server under the load of one work."""
    before = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    if work.signed_in:
        command += ["-H", f"Authorization: {server.user_token}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if work.script:
            script.write(work.script(server, world))
            script.flush()
            command += ["-s", script.name]
        printed = subprocess.run([*command, f"{server.base}{work.path}"], capture_output=True, text=True, check=True)
    return parse_wrk(printed.stdout, lambda requests: (server.cpu_seconds() - before) / max(requests, 1) * 1e6)


def parse_wrk(printed: str, cpu_each: Callable[[int], float]) -> Load:
    """The figures in what `wrk --latency` prints."""
    requests = re.search(r"(\d+) requests in", printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    if not (requests and rate and p99):
        sys.exit(f"wrk said something unexpected:\n{printed}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    milliseconds = float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
    return Load(float(rate[1]), cpu_each(int(requests[1])), milliseconds, int(failed[1]) if failed else 0)


def _view(_server: Server, world: World) -> str:
    return _over_ids(world, f'wrk.format("GET", "{RECORDS}/" .. ids[n % #ids + 1])')


def _update(_server: Server, world: World) -> str:
    request = f'wrk.format("PATCH", "{RECORDS}/" .. ids[n % #ids + 1], nil, \'{{"views+":1}}\')'
    return f"{JSON_BODY}\n{_over_ids(world, request)}"


def _filter(server: Server, _world: World) -> str:
    path = server.filter_path.replace("%%", "%").replace("{n}", '" .. math.random(0, 900000) .. "')
    return f'math.randomseed(7)\nrequest = function() return wrk.format("GET", "{RECORDS}?{path}") end'


def _create(_server: Server, _world: World) -> str:
    request = f'wrk.format("POST", "{RECORDS}", nil, {NEW_ARTICLE})'
    return f"{JSON_BODY}\nlocal n = 0\nrequest = function() n = n + 1; return {request} end"


def _over_ids(world: World, request: str) -> str:
    ids = ",".join(f'"{article["id"]}"' for article in world.articles[:2000])
    return f"local ids = {{{ids}}}\nlocal n = 0\nrequest = function() n = n + 1; return {request} end"


WORKS = {
    work.name: work
    for work in (
        Work("view", script=_view),
        Work("list 30 + total", LIST),
        Work("list 30", f"{LIST}&skipTotal=1"),
        Work("list 30 + expand", f"{LIST}&skipTotal=1&expand=author"),
        Work("filter + sort", script=_filter),
        Work("owner rule", "/api/collections/notes/records?perPage=30&skipTotal=1&sort=-id", signed_in=True),
        Work("create", script=_create),
        Work("update +1", script=_update),
    )
}
