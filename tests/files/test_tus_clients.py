"""The published clients of the upload protocol finish what a bad line interrupts.

DRILL_UPLOAD_MIB says how large the file is; 20 unless told.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from chromium import running_chromium, static
from cutting import cutting
from nodejs import node_modules
from servers import running
from tus import file_field

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about the protocol of uploads")]

HERE = Path(__file__).parent
MIB = 1024 * 1024
SIZE = int(os.environ.get("DRILL_UPLOAD_MIB", "20")) * MIB
CUTS = [SIZE * tenth // 11 for tenth in range(1, 11)]


@pytest.fixture
def server(tmp_path):
    with running("undercroft", tmp_path) as made:
        papers = {"name": "papers", "type": "base", "fields": [file_field(maxSize=2 * SIZE)], "viewRule": ""}
        assert made.call("POST", "/api/collections", papers).status_code == 200
        yield made


@pytest.fixture
def film(tmp_path):
    """A file of random bytes; its path and its SHA-256."""
    path, digest = tmp_path / "film.bin", hashlib.sha256()
    with path.open("wb") as target:
        for _ in range(SIZE // MIB):
            piece = os.urandom(MIB)
            digest.update(piece)
            target.write(piece)
    return path, digest.hexdigest()


def file_into_record(server, url):
    """Make a record of a finished upload; the SHA-256 of the file it serves."""
    answer = server.call("POST", "/api/collections/papers/records", {"doc": f"@upload:{url.rpartition('/')[2]}"})
    assert answer.status_code == 200, answer.text
    record, digest = answer.json(), hashlib.sha256()
    with httpx.stream("GET", f"{server.url}/api/files/papers/{record['id']}/{record['doc']}", timeout=60) as response:
        assert response.status_code == 200
        for piece in response.iter_bytes():
            digest.update(piece)
    return digest.hexdigest()


def tell(client, outcome, line):
    """What who runs this with a large file wants to know."""
    at = ", ".join(f"{offset / MIB:.1f}" for offset in outcome["resumed"])
    cuts, sent = len(line.done), f"{line.sent / MIB:.1f}"
    print(f"{client}: {SIZE // MIB} MiB, cut {cuts} times, resumed at {at}; {sent} MiB sent")  # noqa: T201


def test_tus_js_client_under_node(server, film, tmp_path):
    """A file that is cut ten times on its way arrives whole, and nothing of it is sent for nothing."""
    path, expected = film
    (tmp_path / "node_modules").symlink_to(node_modules())
    script = shutil.copy(HERE / "tus_node.mjs", tmp_path)
    with cutting(int(server.url.rpartition(":")[2]), CUTS.copy()) as line:
        command = [
            "node",
            script,
            f"http://127.0.0.1:{line.port}/api/uploads",
            str(path),
            server.tokens["root"],
            "f.bin",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    outcome = json.loads(done.stdout or "{}")
    assert "url" in outcome, (outcome, done.stderr)
    tell("tus-js-client under Node", outcome, line)

    assert line.done == CUTS
    assert len(outcome["resumed"]) >= len(CUTS)
    assert file_into_record(server, outcome["url"]) == expected


def test_tus_js_client_in_a_browser(server, film, tmp_path):
    """The same from a page of another origin in Chromium."""
    path, expected = film
    shutil.copy(HERE / "tus_page.html", tmp_path)
    shutil.copy(node_modules() / "tus-js-client" / "dist" / "tus.min.js", tmp_path / "tus.js")
    port = int(server.url.rpartition(":")[2])
    with cutting(port, CUTS.copy()) as line, static(tmp_path) as origin, running_chromium() as browser:
        page = browser.new_page()
        endpoint = f"http://127.0.0.1:{line.port}/api/uploads"
        page.goto(f"{origin}/tus_page.html?endpoint={endpoint}&token={server.tokens['root']}")
        page.set_input_files("#file", path)
        page.wait_for_function("window.outcome", timeout=300_000)
        outcome = page.evaluate("window.outcome")
    assert "url" in outcome, outcome
    tell("tus-js-client in Chromium", outcome, line)

    assert line.done == CUTS
    assert outcome["resumed"]  # fewer times than it was cut, as Chromium itself sends some requests again
    assert file_into_record(server, outcome["url"]) == expected


def test_tuspy(server, film, tmp_path):
    """The Python client uploads in pieces with checksums."""
    client = pytest.importorskip("tusclient.client")
    path, expected = film
    tus = client.TusClient(f"{server.url}/api/uploads", headers={"Authorization": server.tokens["root"]})
    told = {"collection": "papers", "filename": "f.bin"}
    with path.open("rb") as stream:
        uploader = tus.uploader(file_stream=stream, chunk_size=3 * MIB, metadata=told, upload_checksum=True)
        uploader.upload()

    assert file_into_record(server, uploader.url) == expected
