"""Other servers are told of changes, signed, again until they take it, and only of what is durable."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from hashlib import sha256
from hmac import compare_digest, digest

import msgspec
import pytest

from undercroft.jobs import worker
from undercroft.jobs.job import BadJob
from undercroft.jobs.queue import STATES, list_jobs
from undercroft.jobs.webhook import sign

KEY = b"a-secret-of-at-least-24-bytes"
SECRET = "whsec_" + b64encode(KEY).decode()
NOTES = "/api/collections/notes/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [{"name": "title", "type": "text", "max": 9}]


class Shop:
    """A server that takes messages, with the numbers it answers first."""

    def __init__(self):
        self.taken, self.answers, self.url = [], [], ""

    async def talk(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
        signature = head[head.lower().index("webhook-signature: ") + 19 :].split("\r\n")[0]
        body = await reader.readexactly(int(headers["content-length"]))
        self.taken.append((headers, signature, body))
        number = self.answers.pop(0) if self.answers else 204
        writer.write(f"HTTP/1.1 {number} X\r\nContent-Length: 0\r\nLocation: {self.url}\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def told(self):
        return [msgspec.json.decode(body) for _, _, body in self.taken]


@pytest.fixture
async def shop(client, monkeypatch):
    monkeypatch.setattr(worker.Pace, "delay", lambda *_: 0.01)
    shop = Shop()
    listening = await asyncio.start_server(shop.talk, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/in"
    shop.client, root = client, await client.superuser()
    await client.post("/api/collections", {"name": "notes", "type": "base", "fields": FIELDS, **OPEN}, as_=root)

    @client.app.webhook(shop.url, "notes", secret=SECRET, networks=["127.0.0.0/8"])
    def note_changed(event):
        return None if event.record["title"] == "quiet" else {"title": event.record["title"]}

    yield shop
    listening.close()


async def settled(shop, many):
    """All jobs but those of the house, once so many are over."""
    for _ in range(500):
        listed = await list_jobs(shop.client.backend.engine, STATES)
        found = [entry for entry in listed if not entry.name.startswith("__pb")]
        if len(found) == many and all(entry.state in {"done", "dead"} for entry in found):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_each_change_is_told_once(shop):
    """Create, update and delete are told; what the function gives None for, and what was refused, is not."""
    made = await shop.client.post(NOTES, {"title": "one"})
    await shop.client.patch(f"{NOTES}/{made.json['id']}", {"title": "two"})
    await shop.client.delete(f"{NOTES}/{made.json['id']}")
    await shop.client.post(NOTES, {"title": "quiet"})
    assert (await shop.client.post(NOTES, {"title": "far too long"})).status == 400
    await settled(shop, 3)

    found = sorted((each["type"], each["data"]["title"]) for each in shop.told)
    assert found == [("notes.create", "one"), ("notes.delete", "two"), ("notes.update", "two")]


async def test_messages_are_signed(shop):
    """Whoever has the secret can tell that id, moment and body are ours."""
    await shop.client.post(NOTES, {"title": "one"})
    await settled(shop, 1)
    ((headers, signature, body),) = shop.taken

    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert compare_digest(b64decode(signature.removeprefix("v1,")), digest(KEY, signed, sha256))


def test_the_signature_of_the_specification():
    """The example of Standard Webhooks comes out as it is written there."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_it_is_told_again_under_the_same_id(shop):
    """A server that fails, or redirects, is told again until it takes the message."""
    shop.answers = [500, 302]
    await shop.client.post(NOTES, {"title": "one"})
    (entry,) = await settled(shop, 1)

    assert (entry.state, entry.attempts) == ("done", 3)
    assert len({headers["webhook-id"] for headers, _, _ in shop.taken}) == 1


async def test_a_server_that_is_gone_is_left_alone(shop):
    """410 ends it at once."""
    shop.answers = [410]
    await shop.client.post(NOTES, {"title": "one"})
    (entry,) = await settled(shop, 1)

    assert (entry.state, entry.attempts) == ("dead", 1)


async def test_inside_is_not_called(shop):
    """A webhook that leads into this machine, without saying so, is given up before anything is sent."""

    @shop.client.app.webhook(shop.url, "notes", secret=SECRET, actions=["create"])
    def sneaky(event):
        return {}

    await shop.client.post(NOTES, {"title": "quiet"})
    (entry,) = await settled(shop, 1)

    assert (entry.name, entry.state, entry.attempts) == ("sneaky", "dead", 1)
    assert "not on the internet" in entry.note
    assert shop.taken == []


@pytest.mark.parametrize(
    "options", [{"secret": "short"}, {"secret": "whsec_YQ=="}, {"secret": SECRET, "actions": ["view"]}]
)
async def test_bad_webhooks_are_refused(client, options):
    """A weak secret, or an action that does not exist, is told where it is written."""
    with pytest.raises(BadJob):
        client.app.webhook("https://example.com", "notes", **options)
