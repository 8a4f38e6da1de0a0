"""Downloads by the programs that people use: curl, wget, and a browser that plays a film."""

from __future__ import annotations

import shutil
import subprocess
from random import Random

import httpx
import pytest
from chromium import running_chromium, static
from film import make_film
from servers import running

pytestmark = pytest.mark.sqlite_only("about downloads")

SHELF = {
    "name": "shelf",
    "createRule": "",
    "viewRule": "",
    "fields": [{"name": "open", "type": "file", "maxSize": 100 << 20}],
}
LARGE = Random(11).randbytes(20 << 20)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with an empty shelf."""
    with running("undercroft", tmp_path_factory.mktemp("served")) as opened:
        assert opened.call("POST", "/api/collections", SHELF).status_code == 200
        yield opened


@pytest.fixture(scope="module")
def url(server):
    """Where a large file is served."""
    return upload(server, "large.bin", LARGE)


def upload(server, name, content):
    """Put a file on the shelf; its URL."""
    answer = httpx.post(f"{server.url}/api/collections/shelf/records", files={"open": (name, content)}, timeout=60)
    record = answer.json()
    return f"{server.url}/api/files/shelf/{record['id']}/{record['open']}"


def run(folder, program, *arguments):
    """Run a program in a folder; skips the test on a machine without it."""
    if not shutil.which(program):
        pytest.skip(f"needs {program}: apt install {program}")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, timeout=120, check=True).stdout


def test_curl_range(url, tmp_path):
    """`curl -r` gets the part it asks for."""
    assert run(tmp_path, "curl", "-sf", "-r", "1000000-1999999", url) == LARGE[1_000_000:2_000_000]
    assert run(tmp_path, "curl", "-sf", "-r", "-10", url) == LARGE[-10:]


def test_curl_continues(url, tmp_path):
    """`curl -C -` goes on where a download broke off, and adds nothing to one that is complete."""
    part = tmp_path / "large.bin"
    part.write_bytes(LARGE[:7_654_321])

    run(tmp_path, "curl", "-sf", "-C", "-", "-o", part, url)

    assert part.read_bytes() == LARGE


def test_curl_fetches_what_is_new(url, tmp_path):
    """`curl --etag-compare` fetches a file once."""
    tag = ("--etag-save", "tag", "--etag-compare", "tag", "-w", "%{http_code}", "-o", "out")

    assert run(tmp_path, "curl", "-sf", *tag, url) == b"200"
    assert run(tmp_path, "curl", "-sf", *tag, url) == b"304"


@pytest.mark.parametrize("have", [0, 1, 9_999_999, len(LARGE)])
def test_wget_continues(url, tmp_path, have):
    """`wget -c` goes on from whatever is there."""
    part = tmp_path / "part.bin"
    part.write_bytes(LARGE[:have])

    run(tmp_path, "wget", "-q", "-c", "-O", part, url)

    assert part.read_bytes() == LARGE


def test_wget_takes_the_original_name(server, tmp_path):
    """A download can be saved under the name that the file came with."""
    url = upload(server, "My words.txt", b"words")

    run(tmp_path, "wget", "-q", "--content-disposition", f"{url}?download=original")

    assert [path.name for path in tmp_path.iterdir()] == ["My words.txt"]


SEEK = """
async url => {
  const film = document.createElement("video")
  film.muted = true
  const heard = name => new Promise(done => film.addEventListener(name, done, {once: true}))
  const ready = heard("loadeddata")
  document.body.append(film)
  film.src = url
  await ready
  const places = []
  for (const second of [15, 2, 18.5]) {
    const seeked = heard("seeked")
    film.currentTime = second
    await seeked
    places.push(film.currentTime)
  }
  const played = heard("ended")
  await film.play()
  await played
  return {places, duration: film.duration, error: film.error && film.error.message, width: film.videoWidth}
}
"""


@pytest.mark.slow
def test_film_in_a_browser(server, tmp_path):
    """A browser seeks in a film by asking for the parts that it needs."""
    (tmp_path / "page.html").write_text("<!doctype html><title>Film</title><body></body>")
    with static(tmp_path) as elsewhere, running_chromium() as browser:
        page = browser.new_page()
        page.goto(f"{elsewhere}/page.html")
        url = upload(server, "film.webm", make_film(page, 20))
        answers = []
        page.on("response", lambda answer: answers.append((answer.status, answer.headers.get("content-range", ""))))

        seen = page.evaluate(SEEK, url)

    assert seen == {"places": [15, 2, 18.5], "duration": 20, "error": None, "width": 480}
    assert {status for status, _ in answers} == {206}
    assert len({told.partition("-")[0] for _, told in answers}) > 1, answers
