"""Files that want to be run: opened, framed and embedded in a real browser, none of them is."""

from __future__ import annotations

import contextlib
from itertools import islice

import httpx
import pytest
from chromium import running_chromium, static
from hostile import MARK, hostile_files
from servers import running

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about what browsers make of files")]

SHELF = {"name": "shelf", "createRule": "", "viewRule": "", "fields": [{"name": "open", "type": "file"}]}
EMBED = """
async urls => {
  const tags = {iframe: "src", object: "data", embed: "src", img: "src", video: "src"}
  const embed = (name, key, url) => new Promise(done => {
    const element = document.createElement(name)
    element.onload = element.onerror = done
    element[key] = url
    document.body.append(element)
    setTimeout(done, 2000)
  })
  await Promise.all(urls.flatMap(url => Object.entries(tags).map(([name, key]) => embed(name, key, url))))
}
"""
AT_ONCE = 12


def test_nothing_runs(tmp_path):
    """Of 120 hostile files no script runs, neither when opened nor when a page elsewhere embeds them."""
    with running("undercroft", tmp_path) as server:
        assert server.call("POST", "/api/collections", SHELF).status_code == 200
        urls = {file.label: upload(server, file) for file in hostile_files()}

        ran = scripts_that_run(urls, tmp_path)

    assert len(urls) == 120
    assert ran == set()


def test_they_would(tmp_path):
    """The same files run where a server believes their names: this test would see it."""
    folder = tmp_path / "believed"
    folder.mkdir()
    for file in (each for each in hostile_files() if "as it is" in each.label):
        (folder / f"{file.label.split()[0]}.{file.name.rpartition('.')[2]}").write_bytes(file.content)
    with static(folder) as believing:
        urls = {path.name: f"{believing}/{path.name}" for path in folder.iterdir()}

        ran = scripts_that_run(urls, tmp_path)

    assert ran >= {
        "html.html",
        "bom.html.html",
        "late.html.html",
        "fragment.htm.htm",
        "svg.svg",
        "xml.svg.svg",
        "xml.xml",
    }


def upload(server, file):
    """Put a file on the shelf; its URL."""
    sent = {"open": (file.name, file.content, file.type)}
    answer = httpx.post(f"{server.url}/api/collections/shelf/records", files=sent, timeout=60)
    assert answer.status_code == 200, (file.label, answer.text)
    record = answer.json()
    return f"{server.url}/api/files/shelf/{record['id']}/{record['open']}"


def scripts_that_run(urls, folder):
    """The labels of those URLs of which a script ran in the browser."""
    ran: set[str] = set()
    labels = {url: label for label, url in urls.items()}

    def hear(said):
        if said.text == MARK:
            ran.add(labels.get(said.location["url"], said.location["url"]))

    (folder / "page.html").write_text("<!doctype html><title>Elsewhere</title><body></body>")
    with static(folder) as elsewhere, running_chromium() as browser:
        page = browser.new_page()
        page.on("console", hear)
        for url in labels:
            with contextlib.suppress(sync_api.Error):  # what is saved is not opened
                page.goto(url, wait_until="load")
        for some in batched(labels, AT_ONCE):
            page.goto(f"{elsewhere}/page.html")
            page.evaluate(EMBED, some)
    return ran


def batched(items, size):
    """The items, some at a time."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
