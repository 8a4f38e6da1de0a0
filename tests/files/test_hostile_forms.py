"""Forms that are made to break a reader of forms: each is refused or read, and leaves nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import due, keys_of, stored, waiting

OPEN = {"createRule": "", "listRule": ""}
FIELDS = [{"name": "t", "type": "text"}, {"name": "f", "type": "file", "maxSelect": 5, "maxSize": 1000}]
KIND = {"content-type": "multipart/form-data; boundary=b"}
DISPOSITION = b"Content-Disposition: form-data; "
MIB = 1024 * 1024


def part(head: bytes, content: bytes = b"x", name: bytes = b'name="f"; filename="a.txt"') -> bytes:
    return b"--b\r\n" + DISPOSITION + name + b"\r\n" + head + b"\r\n" + content + b"\r\n"


END = b"--b--\r\n"
REFUSED = {
    "100,000 parts": part(b"", b"", b'name="t"') * 100_000 + END,
    "100,000 files": part(b"", b"") * 100_000 + END,
    "a header of 1 MB": part(b"X-Long: " + b"x" * MIB + b"\r\n") + END,
    "1,000 headers": part(b"X: x\r\n" * 1000) + END,
    "no end": part(b""),
    "half an end": part(b"") + b"--b-",
    "no content": b"--b\r\n" + DISPOSITION + b'name="f"; filename="a.txt"\r\n\r\n',
    "no disposition": b"--b\r\nX: x\r\n\r\nx\r\n" + END,
    "other disposition": b'--b\r\nContent-Disposition: attachment; name="f"; filename="a"\r\n\r\nx\r\n' + END,
    "bare line feeds": part(b"").replace(b"\r\n", b"\n") + END,
    "text before": b"x" * 1000 + part(b"") + END,
    "a header without colon": part(b"nonsense\r\n") + END,
    "a broken payload": part(b"", b"{", b'name="@jsonPayload"') + END,
    "a payload that is no object": part(b"", b"[]", b'name="@jsonPayload"') + END,
    "11 MB of text": part(b"", b"x" * (11 * MIB), b'name="t"') + END,
    "a boundary that goes on": part(b"") + b"--bb\r\n",
    "bytes that are no characters": part(b"", name=b'name="f"; filename="\xff\xfe.txt"') + END,
    "a negative length": part(b"Content-Length: -1\r\n") + END,
    "a huge length": part(b"Content-Length: 99999999999999999999\r\n") + END,
}
READ = {
    "a nested form": part(
        b"Content-Type: multipart/mixed; boundary=c\r\n", b"--c\r\nContent-Disposition: file\r\n\r\nx\r\n--c--"
    ),
    "an encoded name": part(b"", name=b"name=\"f\"; filename*=UTF-8''%2e%2e%2fetc%2fpasswd"),
    "two names": part(b"", name=b'name="f"; filename="a.txt"; filename="../b.txt"'),
    "both kinds of name": part(b"", name=b'name="f"; filename="a.txt"; filename*=UTF-8\'\'b.txt'),
    "a quote in the name": part(b"", name=b'name="f"; filename="a\\"b.txt"'),
    "a semicolon in the name": part(b"", name=b'name="f"; filename="a;b.txt"'),
    "a name that is a path": part(b"", name=b'name="f"; filename="/etc/passwd"'),
    "a drive": part(b"", name=b'name="f"; filename="C:\\\\dir\\\\a.txt"'),
    "a name of 4,000 characters": part(b"", name=b'name="f"; filename="' + b"a" * 4000 + b'.txt"'),
    "an encoding": part(b"Content-Transfer-Encoding: base64\r\n", b"eA=="),
    "a boundary inside": part(b"", b"\r\n--a\r\n--\r\n-b\r\n--"),
    "something after the end": part(b"") + END + b"x" * 1000,
}


@pytest.fixture
async def things(client):
    body = {"name": "things", "type": "base", "fields": FIELDS, **OPEN}
    await client.post("/api/collections", body, as_=await client.superuser())
    return client


async def send(client, raw, headers=KIND):
    return await client.post("/api/collections/things/records", body=raw, headers=headers)


async def is_tidy(client):
    """Whether the store has what the records name, and nothing else is left of any form."""
    records = (await client.get("/api/collections/things/records", perPage="1000")).json["items"]
    named = sorted(key for record in records for key in keys_of(record, "f"))
    assert (await stored(client), await due(client), waiting(client)) == (named, [], [])
    return True


@pytest.mark.local_only
@pytest.mark.sqlite_only("the database sees none of these forms")
@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
async def test_refused(things, raw):
    """What is no form is refused as such, and no file of it is kept."""
    answer = await send(things, raw)

    assert answer.status in (400, 413)
    assert (await things.get("/api/collections/things/records")).json["totalItems"] == 0
    assert await is_tidy(things)


@pytest.mark.local_only
@pytest.mark.sqlite_only("the database sees nothing of what is odd")
@pytest.mark.parametrize("raw", READ.values(), ids=READ.keys())
async def test_read(things, raw):
    """What is odd but allowed is read as one file, whose name leads nowhere."""
    answer = await send(things, raw if END in raw else raw + END)

    assert answer.status == 200, answer.text
    (name,) = answer.json["f"]
    assert not set(name) & set("/\\\0\r\n\"';%")
    assert await is_tidy(things)


@pytest.mark.local_only
@pytest.mark.sqlite_only("the database sees none of these forms")
@pytest.mark.parametrize(
    "kind",
    ["", "; boundary", "; boundary=", "; boundary=" + "b" * 201, '; boundary="b', "; boundary=b; boundary=c", ";;;"],
)
async def test_odd_boundaries(things, kind):
    """Without a sensible boundary there is no form."""
    answer = await send(things, part(b"") + END, {"content-type": f"multipart/form-data{kind}"})

    assert answer.status in (200, 400)
    assert await is_tidy(things)


HEADS = st.lists(
    st.sampled_from([
        b'name="f"', b'name="t"', b'filename="a.txt"', b'filename=""', b"filename=", b"filename*=utf-8''a", b"name=",
        b'name="f+"', b'name="+f"', b'name="f-"', b'name="@jsonPayload"', b";", b"\\", b'"', b"\xff", b"=",
    ]),
    max_size=6,
)  # fmt: skip
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"{}", b'{"f":"x"}', b'{"f":null}', b"x" * 1001, b"--b", b"\r\n--b", b"\r\n--b\r\n", b"\r\n--b--"]
    ),
)


@pytest.mark.local_only
@pytest.mark.sqlite_only("one engine is enough for what is before it")
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(HEADS, CONTENTS), max_size=5), st.sampled_from([END, b"", b"--b", b"\r\n--b--"]))
async def test_any_form_ends_well(things, parts, end):
    """Whatever is put together from the words of forms is a record or a clear refusal."""
    raw = b"".join(part(b"", content, b"; ".join(head)) for head, content in parts) + end

    assert (await send(things, raw)).status in (200, 400, 413)
    assert waiting(things) == []


@pytest.mark.local_only
@pytest.mark.sqlite_only("one engine is enough for what is before it")
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.randoms(use_true_random=False))
async def test_a_form_with_flaws_ends_well(things, chance):
    """A good form in which bytes were changed, dropped or doubled is a record or a clear refusal."""
    raw = bytearray(part(b"", b"a,b\n1,2", b'name="f"; filename="a.csv"') + part(b"", b"x", b'name="t"') + END)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randint(0, 3)] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 3)))

    assert (await send(things, bytes(raw))).status in (200, 400, 413)
    assert waiting(things) == []


@pytest.mark.local_only
@pytest.mark.sqlite_only("the database sees nothing of it")
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
async def test_a_body_without_files_is_not_as_large_as_files(client, kind):
    """A body that is held in memory may not be larger because of files, which never come in it."""
    field = {"name": "film", "type": "file", "maxSize": 4096 * MIB, "maxSelect": 5}
    body = {"name": "films", "type": "base", "fields": [field], **OPEN}
    assert (await client.post("/api/collections", body, as_=await client.superuser())).status == 200

    for path in ("", "/x"):
        method, raw = ("PATCH" if path else "POST"), b" " * (33 * MIB)
        answer = await client.request(
            method, f"/api/collections/films/records{path}", body=raw, headers={"content-type": kind}
        )
        assert answer.status == 413
