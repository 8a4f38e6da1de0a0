"""Published clients hear what happens: the SDK in Node and in a browser, and the script of our pages."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from chromium import running_chromium, static
from network import free_port
from nodejs import node_modules
from program import run, serving
from servers import PASSWORD, ROOT, Server, running

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about clients")]

HERE = Path(__file__).parent
HEARD = {
    "all": [["update", "second"], ["delete", "second"]],
    "filtered": [["second", "Ann"], ["second", "Ann"]],
    "one": ["update", "delete"],
    "guest": ["last"],
}
NODE = """
import { EventSource } from "eventsource";
import * as sdk from "pocketbase";
import { listen } from "./sdk.mjs";
globalThis.EventSource = EventSource;
const [url, ...root] = process.argv.slice(2);
console.log(JSON.stringify(await listen(sdk, url, root)));
process.exit(0);
"""


def test_the_sdk_in_node(tmp_path):
    """All of a collection, one record, options, and no more after unsubscribing."""
    (tmp_path / "node_modules").symlink_to(node_modules())
    shutil.copy(HERE / "sdk.mjs", tmp_path)
    (tmp_path / "node.mjs").write_text(NODE)
    with running("undercroft", tmp_path) as server:
        command = ["node", "node.mjs", server.url, ROOT, PASSWORD]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == HEARD


def test_the_sdk_in_a_browser(tmp_path):
    """From a page of another origin."""
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(node_modules() / "pocketbase" / "dist" / "pocketbase.es.mjs", pages / "pocketbase.mjs")
    shutil.copy(HERE / "sdk.mjs", pages)
    (pages / "index.html").write_text("<!doctype html><title>A page</title>")
    with running("undercroft", tmp_path) as server, static(pages) as origin, running_chromium() as browser:
        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        heard = page.evaluate(
            """async ([url, ...root]) => {
              const [sdk, { listen }] = await Promise.all([import("./pocketbase.mjs"), import("./sdk.mjs")]);
              return await listen(sdk, url, root);
            }""",
            [server.url, ROOT, PASSWORD],
        )

    assert heard == HEARD


def test_our_script_misses_nothing(tmp_path):
    """While the server is killed and started again, every change is heard once, in order, by several handlers."""
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}")
    run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path)
    with running_chromium() as browser:
        page = browser.new_page()
        with serving(port, "--dir", "data", folder=tmp_path):
            server.sign_in("root", "_superusers", ROOT)
            notes = {"name": "notes", "listRule": "", "fields": [{"name": "n", "type": "number"}]}
            assert server.call("POST", "/api/collections", notes).status_code == 200
            page.goto(f"{server.url}/api/health")
            page.add_script_tag(url="/_/undercroft.js")
            page.evaluate("""() => {
              window.heard = [];
              window.high = [];
              undercroft.subscribe("notes/*", ({ action, record, position }) => heard.push([action, record?.n, Number(position)]));
              undercroft.subscribe("notes/*", ({ record }) => high.push(record?.n), { filter: "n > 20" });
            }""")
            page.wait_for_function("performance.getEntriesByName(`${location.origin}/api/realtime`).length > 0")
            write(server, range(10))
            wait_until(page, "heard", lambda: len(page.evaluate("heard")) == 10)
        with serving(port, "--dir", "data", folder=tmp_path):
            write(server, range(10, 20))
        with serving(port, "--dir", "data", folder=tmp_path):
            write(server, range(20, 30))
            wait_until(page, "heard", lambda: len(page.evaluate("heard")) >= 30)
            heard, high = page.evaluate("heard"), page.evaluate("high")

    assert [(action, n) for action, n, _ in heard] == [("create", n) for n in range(30)]
    assert [place for *_, place in heard] == sorted(place for *_, place in heard)
    assert high == list(range(21, 30))


def write(server, numbers):
    for n in numbers:
        assert server.call("POST", "/api/collections/notes/records", {"n": n}).status_code == 200


def wait_until(page, what, holds):
    """Raise `AssertionError` when it does not come to hold within half a minute."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, (what, page.evaluate("window.heard"))
        page.wait_for_timeout(50)
