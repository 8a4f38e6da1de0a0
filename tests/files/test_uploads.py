"""Files come with a form, are kept, replaced, added to and taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from stored import due, keys_of, stored, waiting

from undercroft.testing import Answer, File, TestClient

OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
FIELDS = [
    {"name": "title", "type": "text", "max": 20},
    {"name": "one", "type": "file", "maxSize": 1000},
    {"name": "many", "type": "file", "maxSelect": 4, "maxSize": 1000},
    {"name": "veiled", "type": "file", "hidden": True},
]


@dataclass(frozen=True)
class Desk:
    """Where records with files are handed in."""

    client: TestClient
    root: str
    path: str = "/api/collections/things/records"

    async def add(self, form: dict[str, Any], **options: Any) -> Answer:
        return await self.client.post(self.path, form=form, **options)

    async def change(self, record: dict[str, Any], *, json: Any = None, form: Any = None, **options: Any) -> Answer:
        path = f"{self.path}/{record['id']}"
        if form is None:
            return await self.client.patch(path, json, **options)
        return await self.client.patch(path, form=form, **options)

    async def is_tidy(self, *records: dict[str, Any]) -> bool:
        """Whether the store has what the records name and nothing else, and nothing waits or must go."""
        named = sorted(key for record in records for key in keys_of(record, "one", "many"))
        assert await stored(self.client) == named
        assert (await due(self.client), waiting(self.client)) == ([], [])
        return True


@pytest.fixture
async def desk(client):
    root = await client.superuser()
    made = await client.post("/api/collections", {"name": "things", "type": "base", "fields": FIELDS, **OPEN}, as_=root)
    assert made.status == 200
    return Desk(client, root)


def txt(name: str, content: str = "") -> File:
    return File(f"{name}.txt", (content or name).encode())


def names(record: dict[str, Any]) -> list[str]:
    """The names of the field for many, as they were before they were made unguessable."""
    return [name.split("_")[0] for name in record["many"]]


async def test_a_file_is_kept(desk):
    """A file that comes with a form is in the store, under a name of its own, with what is known of it."""
    record = (await desk.add({"title": "x", "one": File("Mein Bild.PNG", b"\x89PNG\r\n\x1a\n", "text/html")})).json
    file = await desk.client.backend.files.find(keys_of(record, "one")[0])

    assert record["one"].startswith("mein_bild_")
    assert record["one"].endswith(".PNG")
    assert (file.size, file.facts.type, file.facts.original_name) == (8, "image/png", "Mein Bild.PNG")
    assert await desk.is_tidy(record)


async def test_an_empty_file_is_kept(desk):
    """A file of no bytes is one too."""
    record = (await desk.add({"one": File("empty.txt", b"")})).json

    assert (await desk.client.backend.files.find(keys_of(record, "one")[0])).size == 0


async def test_the_last_file_of_a_single_field_wins(desk):
    """A field for one file takes the last of several, and the others go."""
    record = (await desk.add({"one": [txt("first"), txt("second")]})).json

    assert record["one"].startswith("second_")
    assert await desk.is_tidy(record)


async def test_new_files_replace_old_ones(desk):
    """Files under the plain name of a field take the place of all that were there."""
    record = (await desk.add({"one": txt("old"), "many": [txt("aaa"), txt("bbb")]})).json
    record = (await desk.change(record, form={"one": txt("new"), "many": txt("ccc")})).json

    assert (record["one"].split("_")[0], names(record)) == ("new", ["ccc"])
    assert await desk.is_tidy(record)


async def test_old_files_stay_when_named(desk):
    """Names sent beside new files keep the old ones, in that order before the new ones."""
    record = (await desk.add({"many": [txt("aaa"), txt("bbb"), txt("ccc")]})).json
    form = {"many": [record["many"][2], record["many"][0], txt("ddd")]}
    record = (await desk.change(record, form=form)).json

    assert names(record) == ["ccc", "aaa", "ddd"]
    assert await desk.is_tidy(record)


async def test_appending_prepending_removing(desk):
    """`many+` puts files behind, `+many` before, `many-` takes some away, all in one request."""
    record = (await desk.add({"many": [txt("aaa"), txt("bbb")]})).json
    form = {"many+": txt("ccc"), "+many": txt("000"), "many-": record["many"][0]}
    record = (await desk.change(record, form=form)).json

    assert names(record) == ["000", "bbb", "ccc"]
    assert await desk.is_tidy(record)


@pytest.mark.parametrize("empty", [None, "", []])
async def test_nothing_takes_all_away(desk, empty):
    """Null, empty text and an empty list leave no file."""
    record = (await desk.add({"one": txt("one"), "many": [txt("aaa"), txt("bbb")]})).json
    record = (await desk.change(record, json={"one": empty, "many": empty})).json

    assert (record["one"], record["many"]) == ("", [])
    assert await desk.is_tidy(record)


async def test_deleting_takes_the_files(desk):
    """With a record go its files, and no others."""
    gone, stays = [(await desk.add({"one": txt("one"), "many": txt("aaa")})).json for _ in range(2)]
    await desk.client.delete(f"{desk.path}/{gone['id']}")

    assert await desk.is_tidy(stays)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"one": File("big.txt", b"x" * 1001)}, "validation_file_size_limit"),
        ({"many": [txt(c * 3) for c in "abcde"]}, "validation_too_many_files"),
        ({"many": "other.txt"}, "validation_invalid_file"),
        ({"one": txt("fine"), "title": "x" * 21}, "validation_max_text_constraint"),
    ],
)
async def test_refused_files_are_nowhere(desk, form, code):
    """A form that is refused leaves the record as it was, and none of its files."""
    record = (await desk.add({"one": txt("old"), "many": txt("aaa")})).json
    answers = [await desk.change(record, form=form), await desk.add(form)]

    assert [answer.status for answer in answers] == [400, 400]
    assert [{error["code"] for error in answer.error.data.values()} for answer in answers] == [{code}, {code}]
    assert await desk.is_tidy(record)


async def test_a_file_under_another_name_is_ignored(desk):
    """Files for no field, for a hidden one, and under a name that takes files away, are not kept."""
    record = (await desk.add({"title": "x", "other": txt("x"), "one-": txt("x"), "veiled": txt("x")})).json

    assert (record["title"], record["one"]) == ("x", "")
    assert await desk.is_tidy(record)


async def test_an_id_of_ones_own(desk):
    """A record that brings its id has its files there; one whose id is refused has none."""
    record = (await desk.add({"id": "a" * 15, "one": txt("one")})).json
    answers = [await desk.add({"id": bad, "one": txt("one")}) for bad in ("../../etc", "A" * 15, "x" * 300, "a" * 15)]

    assert record["id"] == "a" * 15
    assert [(answer.status, *answer.error.data) for answer in answers] == [(400, "id")] * 4
    assert await desk.is_tidy(record)


async def test_the_new_id_is_no_secret_of_a_rule(desk):
    """A rule does not see the id that a record with files is going to get."""
    await desk.client.patch("/api/collections/things", {"createRule": '@request.body.id = ""'}, as_=desk.root)
    record = (await desk.add({"one": txt("one")})).json

    assert await desk.is_tidy(record)


async def test_rules_see_what_comes(desk):
    """A rule may ask for the size and the name of a file; whom it refuses leaves none."""
    rule = "@request.body.one.size < 10"
    await desk.client.patch("/api/collections/things", {"createRule": rule}, as_=desk.root)
    small, large = [await desk.add({"one": txt("one", "x" * size)}) for size in (9, 10)]

    assert (small.status, large.status, large.error.code) == (200, 400, "create_refused")
    assert await desk.is_tidy(small.json)


async def test_files_of_a_collection_go_with_it(desk):
    """With a collection go its files; one of the same name that comes after begins without any."""
    await desk.add({"one": txt("one"), "many": [txt("aaa"), txt("bbb")]})
    await desk.client.delete("/api/collections/things", as_=desk.root)
    again = {"name": "things", "type": "base", "fields": FIELDS, **OPEN}
    await desk.client.post("/api/collections", again, as_=desk.root)
    record = (await desk.add({"one": txt("new")})).json

    assert await desk.is_tidy(record)


async def test_files_of_a_field_go_with_it(desk):
    """With a field go its files, and where one is left of many, the others; those of other fields stay."""
    record = (await desk.add({"one": txt("one"), "many": [txt("aaa"), txt("bbb")]})).json
    fields = (await desk.client.get("/api/collections/things", as_=desk.root)).json["fields"]
    without = [
        field | {"maxSelect": 1} if field["name"] == "many" else field for field in fields if field["name"] != "one"
    ]
    await desk.client.patch("/api/collections/things", {"fields": without}, as_=desk.root)

    assert await stored(desk.client) == [f"{record['collectionId']}/{record['id']}/{record['many'][1]}"]


async def test_emptying_a_collection(desk):
    """Truncating a collection takes all of its files."""
    for _ in range(3):
        await desk.add({"one": txt("one")})
    await desk.client.delete("/api/collections/things/truncate", as_=desk.root)

    assert await desk.is_tidy()


async def test_files_of_records_that_go_with_others(desk):
    """A cascade takes the files of each record that it deletes."""
    relation = {"name": "of", "type": "relation", "collectionId": "things_owner", "cascadeDelete": True}
    await desk.client.post("/api/collections", {"id": "things_owner", "name": "owners", "type": "base"}, as_=desk.root)
    await desk.client.patch("/api/collections/things", {"fields": [*FIELDS, relation]}, as_=desk.root)
    owner = (await desk.client.post("/api/collections/owners/records", {}, as_=desk.root)).json
    record = (await desk.add({"one": txt("one"), "of": owner["id"]})).json
    assert record["of"] == owner["id"]
    await desk.client.delete(f"/api/collections/owners/records/{owner['id']}", as_=desk.root)

    assert await desk.is_tidy()


async def test_renaming_a_collection_keeps_the_files(desk):
    """Files are kept by ids, which a new name does not change."""
    record = (await desk.add({"one": txt("one")})).json
    await desk.client.patch("/api/collections/things", {"name": "stuff"}, as_=desk.root)
    other = (await desk.client.post("/api/collections/stuff/records", form={"one": txt("two")})).json

    assert await desk.is_tidy(record, other)


async def test_who_may_not_write_at_all_leaves_nothing(desk):
    """Where only superusers may write, a guest's files are not even read."""
    await desk.client.patch("/api/collections/things", {"createRule": None}, as_=desk.root)
    answer = await desk.add({"one": txt("one")})

    assert (answer.status, answer.error.code) == (403, "superusers_only")
    assert answer.headers["connection"] == "close"
    assert await desk.is_tidy()


@pytest.mark.parametrize("headers", [{"if-match": '"other"'}, {"if-match": "?"}, {"idempotency-key": ""}])
async def test_conditions_that_are_not_met(desk, headers):
    """A form that is refused before anybody looks at its values leaves none of its files."""
    record = (await desk.add({"one": txt("old")})).json
    answer = await desk.change(record, form={"one": txt("new")}, headers=headers)

    assert answer.status in (400, 412)
    assert await desk.is_tidy(record)


async def test_the_same_upload_twice(desk):
    """A form that is sent again with the same key is answered as before, and its files are kept once."""
    forms = [await desk.add({"one": txt("once")}, headers={"idempotency-key": "a-key"}) for _ in range(2)]

    assert forms[0].json == forms[1].json
    assert await desk.is_tidy(forms[0].json)


async def test_a_record_that_is_not_ones_own(desk):
    """Files for a record that the caller may not change are not kept, and the record stays as it is."""
    await desk.client.patch("/api/collections/things", {"updateRule": 'title = "open"'}, as_=desk.root)
    record = (await desk.add({"title": "closed", "one": txt("old")})).json
    answers = [
        await desk.change(record, form={"one": txt("new")}),
        await desk.change({"id": "nosuch"}, form={"one": txt("new")}),
        await desk.change({"id": "..%2f..%2fetc"}, form={"one": txt("new")}),
    ]

    assert [answer.status for answer in answers] == [404, 404, 404]
    assert await desk.is_tidy(record)


async def test_mime_types(desk):
    """What a field takes is judged by the content, whatever the client and the name say."""
    field = {"name": "picture", "type": "file", "mimeTypes": ["image/png", "text/csv"]}
    await desk.client.patch("/api/collections/things", {"fields": [*FIELDS, field]}, as_=desk.root)
    lie = await desk.add({"picture": File("a.png", b"<html><script>", "image/png")})
    table = await desk.add({"picture": File("a.exe", b"a,b\n1,2\n", "application/x-msdownload")})

    assert (lie.status, lie.error.data["picture"]["code"]) == (400, "validation_invalid_mime_type")
    assert table.status == 200
