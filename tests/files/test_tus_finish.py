"""A finished upload becomes a file of a record: once, under the record's rule, checked like any other."""

import asyncio

import pytest
from tus import TUS, begin, file_field, look, send, upload

from undercroft.files.tus_parts import Part
from undercroft.files.tus_state import forget_old_uploads

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(40)
PASSWORD = "correct-horse-9"
PAPERS = {
    "name": "papers",
    "type": "base",
    "fields": [
        {"name": "title", "type": "text"},
        file_field("doc", maxSize=1000),
        file_field("docs", maxSelect=5),
        file_field("image", mimeTypes=["image/png"]),
    ],
    **dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), ""),
}
RECORDS = "/api/collections/papers/records"


@pytest.fixture
async def root(client):
    token = await client.superuser()
    answer = await client.post("/api/collections", PAPERS, as_=token)
    assert answer.status == 200, answer.text
    return token


async def change(client, root, **changes):
    assert (await client.patch("/api/collections/papers", changes, as_=root)).status == 200


async def read(client, record, name):
    return (await client.get(f"/api/files/papers/{record['id']}/{name}")).body


async def left_over(client):
    """Files and rows of uploads that are still there."""
    rows = await client.backend.engine.read('SELECT "id" FROM "_uploads"')
    waiting = [path for path in client.backend.staging.folder.rglob("*") if path.is_file()]
    return client.backend.uploads.parts.listed() | {row[0] for row in rows} | {path.name for path in waiting}


def fault(answer, field):
    assert answer.status == 400, answer.text
    return answer.error.data[field]["code"]


async def test_a_record_takes_an_upload(client, root):
    """The record has the file under a name made of the upload's, and nothing of the upload is left."""
    upload_id = await upload(client, b"hello", filename="My Letter.txt")

    answer = await client.post(RECORDS, {"title": "a", "doc": f"@upload:{upload_id}"})

    assert answer.status == 200, answer.text
    assert answer.json["doc"].startswith("my_letter_")
    assert answer.json["doc"].endswith(".txt")
    assert await read(client, answer.json, answer.json["doc"]) == b"hello"
    assert (await look(client, f"/api/uploads/{upload_id}")).status == 404
    assert await left_over(client) == set()


async def test_an_update_takes_an_upload(client, root):
    """The new file takes the old one's place, which goes."""
    record = (await client.post(RECORDS, {"doc": f"@upload:{await upload(client, b'old')}"})).json
    answer = await client.patch(f"{RECORDS}/{record['id']}", {"doc": f"@upload:{await upload(client, b'new')}"})

    assert answer.status == 200, answer.text
    assert await read(client, answer.json, answer.json["doc"]) == b"new"
    await client.backend.filing.settle()
    assert (await client.get(f"/api/files/papers/{record['id']}/{record['doc']}")).status == 404


async def test_lists_of_files(client, root):
    """References stand among names, and behind `+` on either side."""
    made = await client.post(RECORDS, {"docs": [f"@upload:{await upload(client, each)}" for each in (b"1", b"2")]})
    one, two = made.json["docs"]
    path = f"{RECORDS}/{made.json['id']}"

    both = await client.patch(
        path, {"docs+": f"@upload:{await upload(client, b'3')}", "+docs": [f"@upload:{await upload(client, b'0')}"]}
    )
    assert both.status == 200, both.text
    assert [await read(client, made.json, name) for name in both.json["docs"]] == [b"0", b"1", b"2", b"3"]
    mixed = await client.patch(path, {"docs": [two, f"@upload:{await upload(client, b'4')}"]})
    assert [await read(client, made.json, name) for name in mixed.json["docs"]] == [b"2", b"4"]
    assert one not in mixed.json["docs"]
    assert await left_over(client) == set()


async def test_a_form_may_refer(client, root):
    """In a form a reference is a text among its fields, beside files that come along."""
    upload_id = await upload(client, b"hello")
    answer = await client.post(RECORDS, form={"title": "a", "docs": [f"@upload:{upload_id}"]})

    assert answer.status == 200, answer.text
    assert await read(client, answer.json, answer.json["docs"][0]) == b"hello"


async def test_in_a_batch(client, root):
    """Requests of a batch may refer to uploads; when one fails, all uploads are as they were."""
    one, two = await upload(client, b"one"), await upload(client, b"two")
    assert (await client.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)).status == 200

    async def create(*ids):
        requests = [{"method": "POST", "url": RECORDS, "body": {"doc": f"@upload:{each}"}} for each in ids]
        return await client.post("/api/batch", {"requests": requests})

    refused = await create(one, two, one)
    done = await create(one, two)

    assert refused.status == 400
    assert done.status == 200, done.text
    records = [answer["body"] for answer in done.json]
    assert [await read(client, record, record["doc"]) for record in records] == [b"one", b"two"]
    await client.backend.filing.settle()
    assert await left_over(client) == set()
    assert len([file async for file in client.backend.files.list()]) == 2


async def test_an_empty_file(client, root):
    """An upload of no bytes makes a file of no bytes."""
    answer = await client.post(RECORDS, {"doc": f"@upload:{await upload(client, b'')}"})

    assert answer.status == 200, answer.text
    assert await read(client, answer.json, answer.json["doc"]) == b""


async def test_once(client, root):
    """What was used is gone for the next record."""
    upload_id = await upload(client, b"hello")
    first = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})
    second = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert first.status == 200
    assert fault(second, "doc") == "validation_unknown_upload"


async def test_twice_in_one_record(client, root):
    """One upload makes one file, also within one record; a refused record leaves the upload as it was."""
    upload_id = await upload(client, b"hello")
    answer = await client.post(RECORDS, {"docs": [f"@upload:{upload_id}"] * 2})

    assert fault(answer, "docs") == "validation_upload_used"
    assert (await client.get(RECORDS)).json["totalItems"] == 0
    assert (await client.post(RECORDS, {"docs": [f"@upload:{upload_id}"]})).status == 200


async def test_two_at_once(client, root):
    """Of ten records that want the same upload at the same moment one gets it, and no file is left of the others."""
    upload_id = await upload(client, b"hello")
    answers = await asyncio.gather(*(client.post(RECORDS, {"doc": f"@upload:{upload_id}"}) for _ in range(10)))

    made = [answer.json for answer in answers if answer.status == 200]
    assert len(made) == 1
    refused = {fault(answer, "doc") for answer in answers if answer.status != 200}
    assert refused <= {"validation_upload_used", "validation_unknown_upload"}
    await client.backend.filing.settle()
    assert await left_over(client) == set()
    stored = [file.key async for file in client.backend.files.list()]
    assert stored == [f"{made[0]['collectionId']}/{made[0]['id']}/{made[0]['doc']}"]
    assert (await client.get(RECORDS)).json["totalItems"] == 1


async def test_an_upload_that_is_not_finished(client, root):
    """It is told how far it is, and may go on."""
    place = (await begin(client, 10)).headers["location"]
    await send(client, place, 0, b"0123")
    upload_id = place.rpartition("/")[2]
    answer = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert fault(answer, "doc") == "validation_unfinished_upload"
    assert "4 of 10" in answer.error.data["doc"]["message"]
    assert (await send(client, place, 4, b"456789")).status == 204
    assert (await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})).status == 200


@pytest.mark.parametrize("reference", ["", "x", "a" * 32, "../../data.db", "\0", "é", "A" * 3000])
async def test_references_that_lead_nowhere(client, root, reference):
    """Whatever stands behind the mark is refused as the field's fault, wherever it stands."""
    for body in (
        {"doc": f"@upload:{reference}"},
        {"docs": [f"@upload:{reference}"]},
        {"docs+": f"@upload:{reference}"},
    ):
        answer = await client.post(RECORDS, body)
        assert fault(answer, next(iter(body)).removesuffix("+")) == "validation_unknown_upload"


async def test_somebody_elses_upload(client, root):
    """What another one uploaded is to this one as if it were not there."""
    account = {"email": "ann@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    await client.post("/api/collections/users/records", account, as_=root)
    ann = await client.login("users", account["email"], PASSWORD)
    upload_id = await upload(client, b"hello", ann)

    for other in (root, ""):
        answer = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"}, as_=other)
        assert fault(answer, "doc") == "validation_unknown_upload"
    assert (await client.post(RECORDS, {"doc": f"@upload:{upload_id}"}, as_=ann)).status == 200


async def test_an_upload_whose_time_is_over(client, root):
    """It is as one that never was, before it is swept up and after."""
    upload_id = await upload(client, b"hello")
    engine = client.backend.engine
    await engine.write(lambda tx: tx.run('UPDATE "_uploads" SET "expires" = 1'))
    before = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})
    await engine.write(lambda tx: forget_old_uploads(tx, engine.dialect))
    after = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert [fault(answer, "doc") for answer in (before, after)] == ["validation_unknown_upload"] * 2


async def test_the_field_checks_the_size(client, root):
    """A file that the field would not take by a form it does not take by an upload."""
    upload_id = await upload(client, bytes(1001))
    answer = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert fault(answer, "doc") == "validation_file_size_limit"
    assert (await client.post(RECORDS, {"docs": [f"@upload:{upload_id}"]})).status == 200


async def test_the_field_looks_at_the_content(client, root):
    """The type is what the content is, whatever the client calls it."""
    lie = await upload(client, b"<script>alert(1)</script>", filename="a.png", filetype="image/png")
    true = await upload(client, PNG, filename="b", filetype="text/html")

    assert fault(await client.post(RECORDS, {"image": f"@upload:{lie}"}), "image") == "validation_invalid_mime_type"
    answer = await client.post(RECORDS, {"image": f"@upload:{true}"})
    assert answer.json["image"].endswith(".png")


async def test_names_are_made_harmless(client, root):
    """The name of an upload is as untrusted as that of a form's file."""
    upload_id = await upload(client, b"x", filename="../../etc/pass\\wd\r\n<b>.tar.gz")
    answer = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert answer.status == 200
    assert not set(answer.json["doc"]) & set("/\\<>\r\n")


async def test_the_rule_is_asked(client, root):
    """The record's rule decides in the end, and tells nothing of the upload to whoever may not write."""
    upload_id = await upload(client, b"hello")
    await change(client, root, createRule='title = "yes"')

    for reference in (upload_id, "a" * 32):
        answer = await client.post(RECORDS, {"title": "no", "doc": f"@upload:{reference}"})
        assert (answer.error.code, answer.error.data) == ("create_refused", {})
    await change(client, root, createRule=None)
    assert (await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})).status == 403
    assert await left_over(client) == {upload_id}


async def test_the_rule_sees_the_file(client, root):
    """A rule may look at what is uploaded, as it may at a form's file."""
    await change(client, root, createRule="@request.body.docs:length = 2")

    async def create(count):
        ids = [await upload(client, b"x") for _ in range(count)]
        return (await client.post(RECORDS, {"docs": [f"@upload:{each}" for each in ids]})).status

    assert [await create(1), await create(2)] == [400, 200]


async def test_the_rule_of_that_record(client, root):
    """Whoever may not update a record cannot change its files by an upload."""
    record = (await client.post(RECORDS, {"title": "locked", "doc": f"@upload:{await upload(client, b'old')}"})).json
    await change(client, root, updateRule='title != "locked"')
    upload_id = await upload(client, b"new", collection="papers", record=record["id"])

    answer = await client.patch(f"{RECORDS}/{record['id']}", {"doc": f"@upload:{upload_id}"})

    assert answer.status == 404
    assert await read(client, record, record["doc"]) == b"old"


async def test_a_refused_record_leaves_the_upload(client, root):
    """Who corrects the record need not upload again."""
    await change(client, root, fields=[*PAPERS["fields"], {"name": "number", "type": "number", "required": True}])
    upload_id = await upload(client, b"hello")

    assert fault(await client.post(RECORDS, {"doc": f"@upload:{upload_id}"}), "number") == "validation_required"
    assert await left_over(client) == {upload_id}
    assert (await client.post(RECORDS, {"doc": f"@upload:{upload_id}", "number": 1})).status == 200


async def test_other_fields_keep_such_text(client, root):
    """Only fields of files read references."""
    answer = await client.post(RECORDS, {"title": "@upload:x"})

    assert answer.json["title"] == "@upload:x"


async def test_a_deleted_upload(client, root):
    """What its owner deleted makes no file."""
    upload_id = await upload(client, b"hello")
    await client.delete(f"/api/uploads/{upload_id}", headers=TUS)

    assert fault(await client.post(RECORDS, {"doc": f"@upload:{upload_id}"}), "doc") == "validation_unknown_upload"


async def test_more_references_than_files_of_a_form(client, root):
    """A body with more references than a form may have files is refused before any is looked up."""
    answer = await client.post(RECORDS, {"docs": [f"@upload:{'x' * 32}"] * 1001})

    assert (answer.status, answer.code) == (400, "too_many_references")
    assert (
        fault(await client.post(RECORDS, {"docs": [f"@upload:{'x' * 32}"] * 3}), "docs") == "validation_unknown_upload"
    )


async def test_used_up_at_the_last_moment(client, root, monkeypatch):
    """Who locked an upload that another record has just used up is told so, as anyone who came later."""
    upload_id = await upload(client, b"hello")
    uploads, sync = client.backend.uploads, Part.sync

    def used_up(part):
        sync(part)
        monkeypatch.setattr(Part, "sync", sync)
        uploads.parts.remove([upload_id])

    monkeypatch.setattr(Part, "sync", used_up)
    answer = await client.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert fault(answer, "doc") in ("validation_unfinished_upload", "validation_unknown_upload")
    assert (await client.get(RECORDS)).json["totalItems"] == 0
