"""A POST that is repeated fifty times under one key, through kills of the server, makes exactly one record."""

import os
import signal
import threading
import time
from random import Random

import httpx
import pytest
from network import free_port
from program import run, serving
from servers import PASSWORD, ROOT

pytestmark = pytest.mark.slow

TIMES = 50
KEYS = 4
NOTES = "/api/collections/notes/records"
OPEN = {"listRule": "", "viewRule": "", "createRule": ""}


@pytest.fixture
def place(tmp_path, database):
    """Where the server is, and what it is started with."""
    where = ["--dir", "data", *(["--database", database] if database else [])]
    made = run("superuser", "upsert", ROOT, PASSWORD, *where, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    return free_port(), where, tmp_path


def repeat(url, key, answers):
    """Ask a server that is there for the same record, so many times."""
    sent = 0
    while sent < TIMES:
        try:
            answer = httpx.post(f"{url}{NOTES}", json={"text": key}, headers={"Idempotency-Key": key}, timeout=10)
            answers.append((key, answer.status_code, answer.text))
        except httpx.ConnectError:
            time.sleep(0.1)
            continue
        except httpx.TransportError:
            answers.append((key, 0, ""))
        sent += 1


def test_one_record_a_key(place, seed):
    """Four clients repeat a POST of their own fifty times while the server is killed again and again."""
    port, where, folder = place
    url, chance, kills, answers = f"http://127.0.0.1:{port}", Random(seed), 0, []
    with serving(port, *where, folder=folder):
        login = {"identity": ROOT, "password": PASSWORD}
        token = httpx.post(f"{url}/api/collections/_superusers/auth-with-password", json=login).json()["token"]
        notes = {"name": "notes", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
        answer = httpx.post(f"{url}/api/collections", json=notes, headers={"Authorization": token})
        assert answer.status_code == 200, answer.text
    clients = [threading.Thread(target=repeat, args=(url, f"key-{n}", answers)) for n in range(KEYS)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        with serving(port, *where, folder=folder) as process:
            time.sleep(chance.uniform(0.05, 0.6))
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
    for client in clients:
        client.join()

    with serving(port, *where, folder=folder):
        last = [
            httpx.post(f"{url}{NOTES}", json={"text": f"key-{n}"}, headers={"Idempotency-Key": f"key-{n}"})
            for n in range(KEYS)
        ]
        stored = httpx.get(f"{url}{NOTES}", params={"perPage": 500}).json()["items"]
    assert {answer.status_code for answer in last} == {200}
    done = [each for each in answers if each[1] == 200]
    print(f"{len(answers)} requests, {len(done)} answered, {kills} kills, {len(stored)} records")  # noqa: T201
    assert sorted(each["text"] for each in stored) == sorted(f"key-{n}" for n in range(KEYS))
    assert (
        len({(key, text) for key, _, text in done} | {(f"key-{n}", each.text) for n, each in enumerate(last)}) == KEYS
    )
    assert kills >= 2
