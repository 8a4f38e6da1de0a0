"""Forms made to break their reader are refused, and leave nothing behind."""

import asyncio

import pytest
from tus import file_field

RECORDS = "/api/collections/papers/records"
HEAD = b'--b\r\nContent-Disposition: form-data; name="%s"'
END = b"\r\n--b--\r\n"
PART = HEAD % b"doc" + b'; filename="a.txt"\r\n\r\nhello\r\n'


@pytest.fixture
async def root(client):
    token = await client.superuser()
    open_to_all = dict.fromkeys(("listRule", "viewRule", "createRule"), "")
    papers = {"name": "papers", "type": "base", "fields": [file_field("doc", maxSelect=200)], **open_to_all}
    assert (await client.post("/api/collections", papers, as_=token)).status == 200
    return token


async def submit(client, body, **headers):
    told = {"content-type": "multipart/form-data; boundary=b", "content-length": str(len(body))} | headers
    return await client.post(RECORDS, body=body, headers=told)


async def left_over(client):
    """Files anywhere, and records."""
    waiting = [path.name for path in client.backend.staging.folder.rglob("*") if path.is_file()]
    stored = [file.key async for file in client.backend.files.list()]
    return waiting + stored + (await client.get(RECORDS)).json["items"]


async def becomes_empty(client):
    """Whether nothing is left, once threads that still write are done."""
    for _ in range(500):
        if await left_over(client) == []:
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "body",
    [
        PART * 100_000 + END,
        (HEAD % b"x" + b"\r\n\r\n1\r\n") * 100_000 + END,
        HEAD % b"doc" + b'; filename="a.txt"\r\nX: ' + b"x" * 1_000_000 + b"\r\n\r\nhello" + END,
        HEAD % b"doc" + b'; filename="' + b"x" * 1_000_000 + b'"\r\n\r\nhello' + END,
        (HEAD % b"doc" + b"\r\n") + b"X: y\r\n" * 10_000 + b"\r\nhello" + END,
        PART,
        PART + b"--b",
        PART.replace(b"--b", b"--c"),
        PART + b"--b\r\n\r\n" + END,
        b"\r\n" * 100_000,
    ],
    ids=[
        "files",
        "texts",
        "header",
        "filename",
        "headers",
        "no end",
        "half an end",
        "other boundary",
        "no name",
        "blank",
    ],
)
async def test_forms_that_are_none(client, root, body):
    """Too many parts, endless headers and missing ends are refused, and no file of theirs is left."""
    answer = await submit(client, body)

    assert answer.status in {400, 413}
    assert await becomes_empty(client)


@pytest.mark.parametrize("length", ["-5", "+5", "5.0", "0x5", "", "9" * 40])
async def test_strange_lengths(client, root, length):
    """A length that is none is refused before anything is read."""
    answer = await submit(client, PART + END, **{"content-length": length})

    assert answer.status in {400, 413}
    assert await becomes_empty(client)


@pytest.mark.parametrize(
    "name",
    [
        b'filename="../../etc/passwd"',
        b"filename*=UTF-8''..%2f..%2fetc%2fpasswd",
        b"filename=\"a.txt\"; filename*=UTF-8''%2e%2e%2fb",
        b"filename*=nonsense",
        b"filename*=UTF-8''%00%ff",
        b'filename="a\\"b\0c"',
        b'filename="\xff\xfe"',
        b'filename="con.txt:stream"',
    ],
)  # fmt: skip
async def test_names_that_lead_elsewhere(client, root, name):
    """Whatever a file is called, it is refused, skipped, or stored under a harmless name."""
    answer = await submit(client, HEAD % b"doc" + b"; " + name + b"\r\n\r\nhello" + END)

    assert answer.status in {200, 400}
    if answer.status == 200:
        for stored in answer.json["doc"]:
            assert set(stored) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")
            assert ".." not in stored


async def test_a_form_within_a_form(client, root):
    """What is inside a file stays inside it, a form included."""
    inner = b'--c\r\nContent-Disposition: form-data; name="doc"; filename="i.txt"\r\n\r\ninner\r\n--c--\r\n'
    outer = HEAD % b"doc" + b'; filename="o.txt"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n' + inner + END
    answer = await submit(client, outer)

    assert answer.status == 200, answer.text
    (name,) = answer.json["doc"]
    assert (await client.get(f"/api/files/papers/{answer.json['id']}/{name}")).body == inner
