"""Who may begin an upload, whose it is, and how much may wait."""

import errno
import os
import shutil

import pytest
from tus import TUS, begin, file_field, look, offset_of, send, upload

pytestmark = pytest.mark.local_only("what has arrived of an upload is on this disk, wherever files go in the end")

MIB = 1024 * 1024
CLOSED = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule"))
PASSWORD = "correct-horse-9"


@pytest.fixture
async def root(client):
    return await client.superuser()


@pytest.fixture
async def accounts(client, root):
    """The tokens of Ann and Bob."""
    made = []
    for name in ("ann", "bob"):
        account = {"email": f"{name}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        assert (await client.post("/api/collections/users/records", account, as_=root)).status == 200
        made.append(await client.login("users", account["email"], PASSWORD))
    return made


async def define(client, root, name, *fields, **rules):
    answer = await client.post(
        "/api/collections", {"name": name, "type": "base", "fields": list(fields)} | CLOSED | rules, as_=root
    )
    assert answer.status == 200, answer.text


async def refusal(client, size=10, as_="", **metadata):
    answer = await begin(client, size, as_, **metadata)
    return answer.status, (answer.error.code if answer.status >= 400 else "")


async def test_an_upload_is_its_owners(client, root, accounts):
    """Whoever did not begin an upload does not find it, superusers and guests included."""
    ann, bob = accounts
    place = (await begin(client, 10, ann)).headers["location"]

    for other in (bob, root, ""):
        assert (await look(client, place, other)).status == 404
        assert (await send(client, place, 0, b"x", other)).error.code == "no_such_upload"
        assert (await client.delete(place, headers=TUS, as_=other)).status == 404
    assert await offset_of(client, place, ann) == 0


async def test_the_server_chooses_ids(client, root):
    """Nobody begins an upload under an id of their own, nor twice the same."""
    first = await begin(client, 10, root, headers={"upload-id": "a" * 32, "location": "/api/uploads/" + "a" * 32})
    put = await client.put("/api/uploads/" + "a" * 32, headers=TUS, as_=root)
    second = await begin(client, 10, root)

    ids = {answer.headers["location"].rpartition("/")[2] for answer in (first, second)}
    assert len(ids) == 2
    assert "a" * 32 not in ids
    assert all(len(each) == 32 for each in ids)
    assert put.status == 404


async def test_nobody_uploads_what_no_rule_admits(client, root):
    """Where only superusers write, or nothing takes files, nothing is begun for others."""
    await define(client, root, "closed", file_field())
    await define(client, root, "notes", {"name": "text", "type": "text"}, createRule="")

    assert await refusal(client, collection="closed") == (403, "superusers_only")
    assert await refusal(client, collection="closed", field="doc", record="x" * 15) == (403, "superusers_only")
    assert await refusal(client, collection="notes") == (403, "nowhere_to_upload")
    assert await refusal(client, collection="notes", field="text") == (400, "no_file_field")
    assert await refusal(client, collection="nowhere") == (404, "unknown_collection")
    assert await refusal(client, as_=root, collection="closed") == (201, "")


async def test_a_hidden_field_is_not_told_of(client, root):
    """A field that is hidden from the caller is as one that is not there."""
    await define(client, root, "papers", file_field("doc"), file_field("secret", hidden=True), createRule="")

    hidden = await begin(client, 10, collection="papers", field="secret")
    missing = await begin(client, 10, collection="papers", field="socket")

    assert (hidden.status, hidden.error.code) == (400, "no_file_field")
    assert hidden.error.message.replace("secret", "socket") == missing.error.message
    assert await refusal(client, as_=root, collection="papers", field="secret") == (201, "")


async def test_one_rule_is_enough(client, root):
    """A collection whose records others may only update takes uploads for those."""
    await define(client, root, "papers", file_field(), updateRule="")

    assert await refusal(client, collection="papers") == (201, "")
    assert await refusal(client, collection="papers", record="x" * 15) == (201, "")
    await define(client, root, "letters", file_field(), createRule="")
    assert await refusal(client, collection="letters", record="x" * 15) == (403, "superusers_only")


async def test_the_size_is_bounded(client, root):
    """By the field it is for, else by the largest one it could be for."""
    small, large = file_field("small", maxSize=MIB), file_field("large", maxSize=9 * MIB)
    await define(client, root, "papers", small, large, createRule="")
    await define(client, root, "closed", file_field(maxSize=20 * MIB))

    assert await refusal(client, MIB + 1, collection="papers", field="small") == (413, "upload_too_large")
    assert await refusal(client, MIB, collection="papers", field="small") == (201, "")
    assert await refusal(client, 9 * MIB, collection="papers") == (201, "")
    assert await refusal(client, 9 * MIB + 1) == (413, "upload_too_large")
    assert await refusal(client, 20 * MIB, root) == (201, "")
    assert await refusal(client, 20 * MIB + 1, root) == (413, "upload_too_large")


async def test_so_many_may_wait(client, root, accounts):
    """A hundred uploads of one account may wait to be finished; whoever deletes one may begin another."""
    ann, bob = accounts
    await define(client, root, "papers", file_field(), createRule="")
    places = [(await begin(client, 1, ann)).headers["location"] for _ in range(100)]

    assert await refusal(client, 1, ann) == (429, "too_many_uploads")
    assert await refusal(client, 1, bob) == (201, "")
    assert (await client.delete(places[0], headers=TUS, as_=ann)).status == 204
    assert await refusal(client, 1, ann) == (201, "")


async def test_so_much_may_wait(client, root, accounts):
    """What was announced counts, whether or not it has come; superusers know no such bound."""
    await define(client, root, "papers", file_field(maxSize=200 * MIB), createRule="")

    answers = [await refusal(client, 200 * MIB, accounts[0]) for _ in range(5)]
    assert answers == [(201, "")] * 4 + [(429, "too_many_uploads")]
    assert [await refusal(client, 200 * MIB, root) for _ in range(5)] == [(201, "")] * 5


async def test_guests_are_counted_by_address(client, root):
    """Guests at one address share their bound, and all guests together have one as well."""
    await define(client, root, "papers", file_field(), createRule="")
    settings = {"trustedProxy": {"headers": ["X-Real-IP"]}}
    assert (await client.patch("/api/settings", settings, as_=root)).status == 200

    async def from_address(address):
        return (await begin(client, 1, headers={"x-real-ip": address})).status

    assert [await from_address("10.0.0.1") for _ in range(101)] == [201] * 100 + [429]
    assert await from_address("10.0.0.2") == 201
    engine = client.backend.engine
    await engine.write(lambda tx: tx.run("""UPDATE "_uploads" SET "size" = 6000000000 WHERE "source" = '10.0.0.2'"""))
    assert await from_address("10.0.0.3") == 429


async def test_a_full_disk(client, root, monkeypatch):
    """When the disk is full the answer says so, and what fitted is kept."""
    await define(client, root, "papers", file_field(), createRule="")
    place = (await begin(client, 10)).headers["location"]
    write = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda file, data, offset: write(file, data[:3], offset) if not offset else full()
    )

    answer = await send(client, place, 0, b"0123456789")

    assert (answer.status, answer.error.code) == (507, "storage_full")
    assert await offset_of(client, place) == 3


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_an_upload_that_would_not_fit(client, root, monkeypatch):
    """What the disk could not hold is refused before it comes."""
    await define(client, root, "papers", file_field(), createRule="")

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    assert await refusal(client) == (507, "storage_full")
    assert await client.backend.engine.read('SELECT 1 FROM "_uploads"') == []


async def test_nothing_is_served_before_it_is_finished(client, root):
    """What has arrived of an upload can be read by nobody."""
    await define(client, root, "papers", file_field(), createRule="", viewRule="")
    upload_id = await upload(client, b"0123456789")

    for path in (f"/api/uploads/{upload_id}", f"/api/files/papers/{upload_id}/x", f"/uploads/{upload_id}.part"):
        answer = await client.get(path, headers=TUS)
        assert b"0123" not in answer.body


async def test_an_upload_of_another_server(client, root):
    """Another server of the site has what arrived, so this one says so and keeps its hands off."""
    await define(client, root, "papers", file_field(), createRule="")
    place = (await begin(client, 10)).headers["location"]
    engine = client.backend.engine
    await engine.write(lambda tx: tx.run("""UPDATE "_uploads" SET "place" = 'elsewhere'"""))

    for answer in (await look(client, place), await send(client, place, 0, b"x")):
        assert answer.status == 423
    assert (await send(client, place, 0, b"x")).error.code == "upload_elsewhere"
