"""`undercroft new`: a site that runs."""

from __future__ import annotations

import httpx
from network import free_port
from program import run, serving


def test_new_site_runs(tmp_path):
    """What `new` makes is served as it is: a page, its style sheet, a page for wrong addresses."""
    made = run("new", "mysite", folder=tmp_path)
    port = free_port()

    with serving(port, "mysite", folder=tmp_path), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        page, lost = client.get("/"), client.get("/nowhere")
        style = client.get(page.text.partition('stylesheet" href="')[2].partition('"')[0])

    assert (made.returncode, page.status_code, lost.status_code, style.status_code) == (0, 200, 404, 200)
    assert "<h1>It runs</h1>" in page.text
    assert "<h1>Not found</h1>" in lost.text
    assert "immutable" in style.headers["cache-control"]


def test_new_site_keeps_its_data_out_of_git(tmp_path):
    """The data directory is not to be committed."""
    run("new", "mysite", folder=tmp_path)

    assert "data/" in (tmp_path / "mysite" / ".gitignore").read_text().splitlines()


def test_what_is_there_stays(tmp_path):
    """A folder with something in it is refused, and left as it is."""
    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "notes.txt").write_text("mine")

    refused = run("new", "mysite", folder=tmp_path)

    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert [path.name for path in (tmp_path / "mysite").iterdir()] == ["notes.txt"]


def test_empty_folder_is_taken(tmp_path):
    """An empty folder will do, also the one where one stands."""
    (tmp_path / "mysite").mkdir()

    assert run("new", ".", folder=tmp_path / "mysite").returncode == 0
    assert (tmp_path / "mysite" / "pages" / "index.html").exists()
