"""A bucket that is set while the server runs: it is tried out, used from then on by every worker, and left again."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import httpx
import pytest
from kept import keep, keys
from network import free_port
from program import COMMAND, run, serving
from s3_faults import Fault, faulty
from s3_server import ACCESS_KEY, BUCKET, KEYS, SECRET
from servers import PASSWORD, ROOT, Server
from shelf import TEXT, make_shelf, put
from workers import line_to_each, wait_until_all

from undercroft import testing
from undercroft.files.probe import tell_fault
from undercroft.files.s3 import S3Files

RECORDS = "/api/collections/shelf/records"
TEST = "/api/settings/test/s3"
SETTINGS = "/api/settings"
SHELF = {"name": "shelf", "type": "base", "fields": [{"name": "open", "type": "file"}], "createRule": ""}


@pytest.fixture
async def client(tmp_path):
    """A client of a backend whose settings say where files are."""
    async with testing.client(tmp_path) as opened:
        yield opened


def bucket(endpoint, **changes):
    """The settings of a bucket."""
    fixed = {"bucket": BUCKET, "region": "us-east-1", "accessKey": ACCESS_KEY, "secret": SECRET}
    return fixed | {"enabled": True, "endpoint": endpoint, "forcePathStyle": True} | changes


@pytest.mark.parametrize("filesystem", ["storage", "backups"])
async def test_a_bucket_that_works(client, s3, filesystem):
    """Nothing is said of a bucket that can be used, and nothing is left in it."""
    root = await client.superuser()
    change = {"s3": bucket(s3.endpoint)}
    await client.patch(SETTINGS, change if filesystem == "storage" else {"backups": change}, as_=root)

    answer = await client.post(TEST, {"filesystem": filesystem}, as_=root)

    assert (answer.status, answer.body) == (204, b"")
    assert await keys(client.backend.files, "undercroft_settings_test") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": "wrong"}, "does not accept our secret"),
        ({"accessKey": "nobody"}, "does not know our access key"),
        ({"bucket": "Bad_Name!"}, "no name of a bucket"),
        ({"endpoint": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"endpoint": "http://169.254.169.254"}, "no storage is at its address"),
        ({"endpoint": "http://nowhere.invalid"}, "cannot be found by its name"),
        ({"endpoint": "http://127.0.0.1:9/path"}, "the URL of a server"),
    ],
)
async def test_a_bucket_that_does_not(client, s3, changes, words):
    """What is wrong with a bucket is told, without its keys."""
    root = await client.superuser()
    await client.patch(SETTINGS, {"s3": bucket(s3.endpoint) | changes}, as_=root)

    answer = await client.post(TEST, {"filesystem": "storage"}, as_=root)

    assert (answer.status, answer.error.code) == (400, "storage_unusable")
    assert answer.error.message.startswith("Failed to test the S3 filesystem. Raw error: \n")
    assert words in answer.error.message
    assert SECRET not in answer.text


async def test_a_bucket_that_everybody_can_read(client, s3):
    """A bucket that gives its files to everybody, past all rules, is told from one that is private."""
    root = await client.superuser()
    with faulty(s3.port) as proxy:
        await client.patch(SETTINGS, {"s3": bucket(proxy.endpoint)}, as_=root)
        proxy.faults = (Fault("open", ("HEAD",)),)
        answer = await client.post(TEST, {"filesystem": "storage"}, as_=root)

    assert "make it private" in answer.error.message


async def test_a_bucket_that_everybody_can_read_is_told_of(tmp_path, s3, caplog):
    """When a server starts on a bucket that everybody can read, its operator is told; a private one is not worth a word."""
    with faulty(s3.port) as proxy:
        store = S3Files(s3.bucket(proxy.endpoint))
        await keep(store, tmp_path, "c/r/a.txt")
        await tell_fault(store)
        assert caplog.text == ""

        proxy.faults = (Fault("open", ("HEAD",)),)
        await tell_fault(store)
        assert "make it private" in caplog.text


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "validation_required", "Failed to test the S3 filesystem."),
        ({"filesystem": "tapes"}, "validation_in_invalid", "Failed to test the S3 filesystem."),
        ({"filesystem": 5}, "", "An error occurred while loading the submitted data."),
    ],
)
async def test_which_storage(client, body, code, message):
    """It must be said which storage is to be tested."""
    answer = await client.post(TEST, body, as_=await client.superuser())

    assert (answer.status, answer.error.message) == (400, message)
    assert answer.error.data.get("filesystem", {}).get("code", "") == code


async def test_no_bucket(client):
    """Where no bucket is set there is none to test."""
    answer = await client.post(TEST, {"filesystem": "storage"}, as_=await client.superuser())

    assert (
        answer.error.message == "Failed to test the S3 filesystem. Raw error: \nS3 storage filesystem is not enabled."
    )


async def test_only_superusers_test(client):
    """Guests make this machine connect to nothing."""
    assert (await client.post(TEST, {"filesystem": "storage"})).status == 401


async def test_the_bucket_that_a_flag_names_is_tested(tmp_path, s3, monkeypatch):
    """With a flag for a bucket it is that one that is tested, whatever is set."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with testing.client(tmp_path, files=s3.url()) as client:
        assert (await client.post(TEST, {"filesystem": "storage"}, as_=await client.superuser())).status == 204


async def test_files_go_where_the_settings_say(client, s3, tmp_path):
    """From the change on new files are in the bucket, and once it is undone they are in the folder again."""
    root = await make_shelf(client)
    before = await put(client)
    await client.patch(SETTINGS, {"s3": bucket(s3.endpoint)}, as_=root)
    during = await put(client)
    assert ((await during.get()).body, (await before.get()).status) == (TEXT, 404)

    await client.patch(SETTINGS, {"s3": {"enabled": False}}, as_=root)
    assert ((await during.get()).status, (await before.get()).body) == (404, TEXT)


async def test_settings_that_cannot_be(client, s3):
    """A bucket that cannot be used makes uploads fail with 503, and nothing else."""
    root = await make_shelf(client)
    await client.patch(SETTINGS, {"s3": bucket(s3.endpoint, bucket="Bad_Name!")}, as_=root)

    refused = await client.post(RECORDS, form={"open": testing.File("a.txt", b"a")})

    assert (refused.status, refused.error.code) == (503, "file_store_unavailable")
    assert (await client.get(RECORDS, as_=root)).json["totalItems"] == 0


async def test_a_flag_for_the_folder_wins(tmp_path, s3):
    """With `--files local` files stay in the folder, whatever is set."""
    async with testing.client(tmp_path, files="local") as client:
        root = await make_shelf(client)
        await client.patch(SETTINGS, {"s3": bucket(s3.endpoint)}, as_=root)
        shelf = await put(client)

        assert (await shelf.get()).body == TEXT
        assert list(tmp_path.glob(f"storage/*/{shelf.record['id']}/*.txt"))


def test_every_worker_obeys(tmp_path, s3):
    """A bucket that is set at one worker is used by all, for guests too: files of the folder are not found any more."""
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    port = free_port()
    with serving(port, "--workers", "2", folder=tmp_path) as process, line_to_each(process.pid, port) as lines:
        server = Server(f"http://127.0.0.1:{port}")
        server.sign_in("root", "_superusers", ROOT)
        assert server.call("POST", "/api/collections", SHELF).status_code == 200
        made = httpx.post(server.url + RECORDS, files={"open": ("a.json", b"[]")}).json()
        path = f"/api/files/shelf/{made['id']}/{made['open']}"
        wait_until_all(lines, lambda line: line.ask("GET", path) == (200, []))

        lines[0].ask("PATCH", SETTINGS, {"s3": bucket(s3.endpoint)}, server.tokens["root"])
        wait_until_all(lines, lambda line: line.ask("GET", path)[0] == 404)
        lines[1].ask("PATCH", SETTINGS, {"s3": {"enabled": False}}, server.tokens["root"])
        wait_until_all(lines, lambda line: line.ask("GET", path)[0] == 200)


def test_workers_share_a_bucket(tmp_path, s3, monkeypatch):
    """A server whose workers have a bucket from the start gives out at each what came in at any, and ends in order."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
    port = free_port()
    with serving(port, "--workers", "2", "--files", s3.url(), folder=tmp_path) as process:
        server = Server(f"http://127.0.0.1:{port}")
        server.sign_in("root", "_superusers", ROOT)
        assert server.call("POST", "/api/collections", SHELF).status_code == 200
        made = [httpx.post(server.url + RECORDS, files={"open": ("a.json", b"[%d]" % n)}).json() for n in range(6)]
        with line_to_each(process.pid, port) as lines:
            for line, (n, record) in itertools.product(lines, enumerate(made)):
                assert line.ask("GET", f"/api/files/shelf/{record['id']}/{record['open']}") == (200, [n])
        process.terminate()

        assert process.wait(40) == 0


async def test_while_it_is_down(client, s3):
    """When the bucket fails only what needs it fails: 503 with a reason, no record, and no file is left at the end."""
    root = await make_shelf(client)
    with faulty(s3.port) as proxy:
        await client.patch(SETTINGS, {"s3": bucket(proxy.endpoint)}, as_=root)
        shelf = await put(client)
        there = await keys(client.backend.files, f"{shelf.record['collectionId']}/")
        proxy.faults = (Fault("error"),)

        upload = await client.post(RECORDS, form={"open": testing.File("a.txt", b"a")})
        download = await shelf.get()
        others = [await client.get(path, as_=root) for path in ("/api/health", RECORDS)]
        title = await client.patch(f"{RECORDS}/{shelf.record['id']}", {"title": "x"}, as_=root)

        assert {answer.error.code for answer in (upload, download)} == {"file_store_unavailable"}
        assert {(answer.status, int(answer.headers["retry-after"]) > 0) for answer in (upload, download)} == {
            (503, True)
        }
        assert [answer.status for answer in (*others, title)] == [200] * 3
        assert others[1].json["totalItems"] == 1
        await client.backend.filing.settle()  # a sweep that is failing yet would take this one's place
        proxy.faults = ()
        client.backend.filing.sweep_soon()
        await client.backend.filing.settle()
        assert await keys(client.backend.files, f"{shelf.record['collectionId']}/") == there


async def test_deleting_while_it_is_down(client, s3):
    """A record is deleted though its file cannot be; that goes when the bucket is there again."""
    root = await make_shelf(client)
    with faulty(s3.port) as proxy:
        await client.patch(SETTINGS, {"s3": bucket(proxy.endpoint)}, as_=root)
        shelf = await put(client)
        proxy.faults = (Fault("error"),)
        deleted = await client.delete(f"{RECORDS}/{shelf.record['id']}", as_=root)
        await client.backend.filing.settle()
        proxy.faults = ()
        folder = f"{shelf.record['collectionId']}/{shelf.record['id']}/"
        assert (deleted.status, len(await keys(client.backend.files, folder))) == (204, 1)

        client.backend.filing.sweep_soon()
        await client.backend.filing.settle()
        assert await keys(client.backend.files, folder) == []


def test_without_its_client(tmp_path):
    """A server that is to use a bucket and has no client for one does not start, and says what to install."""
    script = "import sys; sys.modules['obstore'] = None; from undercroft.cli.main import main; main()"
    done = _serve(tmp_path, [sys.executable, "-c", script], "s3://photos")

    assert done.returncode == 11
    assert "pip install 'undercroft[s3]'" in done.stderr


@pytest.mark.parametrize("url", ["s3://photos?endpiont=x", "gs://photos"])
def test_a_flag_that_cannot_be(tmp_path, url):
    """A server that is to use a bucket that cannot be does not start."""
    assert _serve(tmp_path, [COMMAND], url).returncode == 2


def _serve(folder, command, url):

    arguments = ["serve", "--http", f"127.0.0.1:{free_port()}", "--files", url]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=os.environ | KEYS,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
