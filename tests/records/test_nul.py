"""The character NUL in values: kept, shown and compared like any other, on both engines."""

import pytest

TEXTS = ["a", "a\0", "a\0b", "a\1", "a\1\1\1\2", "a\2", "a\3", "ab", "\0"]
VALUES = ["\0", "a\\u0000\0", ["\0", "\1\1\1\2"], {"k\0": "\0", "k\1": {"\2": 1.5e300}}, {"\\": "\\\0"}]


@pytest.fixture
async def notes(blog):
    """Notes with a unique name, a body of JSON and a list of links."""
    await blog.collection(
        "notes",
        {"name": "name", "type": "text"},
        {"name": "body", "type": "json"},
        indexes=["CREATE UNIQUE INDEX one_name ON notes (name) WHERE name != ''"],
    )
    return blog


@pytest.mark.parametrize("text", TEXTS, ids=repr)
async def test_text_is_kept(notes, text):
    """What is sent is what is shown, by the write and afterwards."""
    made = await notes.add("notes", name=text)
    shown = await notes.view("notes", made["id"])

    assert made["name"] == shown.json["name"] == text


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_json_is_kept(notes, value):
    """In keys as well, and beside backslashes."""
    made = await notes.add("notes", body=value)
    shown = await notes.view("notes", made["id"])

    assert made["body"] == shown.json["body"] == value


async def test_text_is_sorted(notes):
    """NUL comes before all others."""
    for text in TEXTS:
        await notes.add("notes", name=text)

    items = (await notes.list("notes", sort="name")).json["items"]

    assert [item["name"] for item in items] == sorted(TEXTS)


@pytest.mark.parametrize("operator", ["=", "!=", "<", ">="])
async def test_text_is_compared(notes, operator):
    """Each of the texts with each of the others, which a request brings along."""
    meanings = {"=": str.__eq__, "!=": str.__ne__, "<": str.__lt__, ">=": str.__ge__}
    for text in TEXTS:
        await notes.add("notes", name=text)
    await notes.change("notes", listRule=f"name {operator} @request.query.text")

    for text in TEXTS:
        answer = await notes.list("notes", notes.ann, text=text)
        found = {item["name"] for item in answer.json["items"]}
        assert found == {name for name in TEXTS if meanings[operator](name, text)}


async def test_json_is_compared(notes):
    """What stands at a path is the text that was stored."""
    made = await notes.add("notes", body={"a": "x\0y"})
    await notes.add("notes", body={"a": "xy"})
    await notes.change("notes", listRule="body.a = @request.query.text")

    assert await notes.ids("notes", notes.ann, text="x\0y") == [made["id"]]


async def test_unique_texts_are_told_apart(notes):
    """Texts that differ in NUL alone are two; the same one is refused."""
    await notes.add("notes", name="a\0b")
    await notes.add("notes", name="a\1b")

    refused = await notes.create("notes", {"name": "a\0b"})

    assert refused.status == 400
    assert refused.json["data"]["name"]["code"] == "validation_not_unique"


async def test_a_length_counts_it_as_one(blog):
    """A limit on characters counts what was sent."""
    await blog.collection("short", {"name": "name", "type": "text", "max": 3})

    assert (await blog.create("short", {"name": "\0\0\0"})).status == 200
    assert (await blog.create("short", {"name": "\0\0\0\0"})).status == 400
