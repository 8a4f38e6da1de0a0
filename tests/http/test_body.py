"""Bodies: which parser reads them, and where they end."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import md5

from undercroft.errors import BadRequest, TooLarge
from undercroft.files.staging import Staging, Wanted
from undercroft.http import body
from undercroft.http.body import UnsupportedContentType, read_body
from undercroft.http.json_text import BadBody

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.fixture
def staging(tmp_path):
    opened = Staging(tmp_path / "staging", "app")
    yield opened
    opened.close()


def left_in(staging):
    return [path for path in staging.folder.rglob("*") if path.is_file()]


@dataclass
class Sent:
    """A request that sends its body in pieces."""

    body: bytes
    headers: list = field(default_factory=list)
    piece: int = 65536
    at: int = 0
    is_cut_off: bool = False
    asgi: dict = field(default_factory=lambda: {"http_version": "1.1"})

    def header(self, name):
        return dict(self.headers).get(name)

    async def hear(self):
        if self.is_cut_off and self.at >= len(self.body):
            return {"type": "http.disconnect"}
        chunk = self.body[self.at : self.at + self.piece]
        self.at += self.piece
        return {"type": "http.request", "body": chunk, "more_body": self.is_cut_off or self.at < len(self.body)}


def sent(kind, body, **options):
    headers = [(b"content-length", str(len(body)).encode())] + ([(b"content-type", kind.encode())] if kind else [])
    return Sent(body, headers, **options)


def part(head, content):
    return b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


async def test_json():
    """`application/json` is one object, with or without a charset, in any letter case."""
    read = await read_body(sent("Application/JSON; charset=utf-8", b'{"a": 1}'), 100)

    assert (read.data, read.uploads, read.texts) == ({"a": 1}, [], None)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", MULTIPART])
async def test_empty_body(kind):
    """An empty body is an empty object, whatever the header says."""
    assert (await read_body(sent(kind, b""), 100)).data == {}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/octet-stream"])
async def test_unknown_kinds(kind):
    """Bodies of other kinds are refused."""
    with pytest.raises(UnsupportedContentType):
        await read_body(sent(kind, b"{}"), 100)


async def test_urlencoded():
    """Values of a form are inferred, and kept as they came beside."""
    read = await read_body(sent(FORM, b"n=5&t=a&t=b&z=007"), 100)

    assert read.data == {"n": 5, "t": ["a", "b"], "z": "007"}
    assert read.texts == {"n": ["5"], "t": ["a", "b"], "z": ["007"]}


async def test_urlencoded_of_too_many_values():
    """A form of nothing but names is refused before it is taken apart."""
    with pytest.raises(BadBody, match="values"):
        await read_body(sent(FORM, b"a&" * 10_000), 100_000)


async def test_json_payload_wins():
    """`@jsonPayload` is merged over the form in order, without inference."""
    raw = b'a=form&b=form&@jsonPayload={"a":"7"}&@jsonPayload={"c":[1]}&@jsonPayload={"c":"2"}'

    assert (await read_body(sent(FORM, raw), 200)).data == {"a": "7", "b": "form", "c": "2"}


async def test_bad_json_payload():
    """A payload that is no object is refused."""
    with pytest.raises(BadBody):
        await read_body(sent(FORM, b"@jsonPayload=[1]"), 100)


@pytest.mark.parametrize("piece", [1, 7, 65536])
async def test_multipart(piece, staging):
    """Parts are values or files, however the bytes arrive."""
    raw = (
        part(b'name="t"', b"a") + part(b'name="t"', b"7") + part(b'name="f"; filename="x.txt"', b"hello") + b"--b--\r\n"
    )
    read = await read_body(sent(MULTIPART, raw, piece=piece), 1000, staging.intake({"f": Wanted(100)}.get))
    (upload,) = read.uploads

    assert read.data == {"t": ["a", 7]}
    assert (upload.filename, upload.size, upload.path.read_bytes()) == ("x.txt", 5, b"hello")
    assert (upload.type, upload.md5) == ("text/plain; charset=utf-8", md5(b"hello"))


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 256 * 1024, 2_000_000])
async def test_files_wait_on_disk(size, staging):
    """A file goes to disk as it comes, whole, and is gone once it is discarded."""
    content = random.Random(size).randbytes(size)
    raw = part(b'name="f"; filename="x"', content) + b"--b--\r\n"
    read = await read_body(sent(MULTIPART, raw), 3_000_000, staging.intake({"f": Wanted(size)}.get))
    (upload,) = read.uploads

    assert upload.path.read_bytes() == content
    assert upload.md5 == md5(content)
    await staging.discard(read.uploads)
    assert left_in(staging) == []


async def test_files_of_other_names_are_skipped(staging):
    """A file under a name that nobody knows is read over."""
    raw = part(b'name="g"; filename="x"', b"x" * 100_000) + part(b'name="t"', b"a") + b"--b--\r\n"
    read = await read_body(sent(MULTIPART, raw), 200_000, staging.intake({"f": Wanted(100)}.get))

    assert (read.data, read.files, left_in(staging)) == ({"t": "a"}, {}, [])


async def test_files_that_nobody_asked_for(staging):
    """Without an intake files are read over."""
    raw = part(b'name="f"; filename="x"', b"x") + part(b'name="t"', b"a") + b"--b--\r\n"
    read = await read_body(sent(MULTIPART, raw), 1000)

    assert (read.data, read.files) == ({"t": "a"}, {})


async def test_a_file_that_is_too_large(staging):
    """Of a file larger than anybody could want nothing is kept, and its size is told."""
    raw = part(b'name="f"; filename="x"', b"x" * 1_000_000) + part(b'name="t"', b"a") + b"--b--\r\n"
    read = await read_body(sent(MULTIPART, raw), 2_000_000, staging.intake({"f": Wanted(300_000)}.get))
    (upload,) = read.uploads

    assert (upload.size, upload.path, read.data) == (1_000_000, None, {"t": "a"})
    assert left_in(staging) == []


async def test_a_file_that_is_far_too_large(staging, monkeypatch):
    """A file that does not end is not read for ever."""
    monkeypatch.setattr("undercroft.files.staging.EXCESS", 100_000)
    request = sent(MULTIPART, part(b'name="f"; filename="x"', b"x" * 1_000_000) + b"--b--\r\n")

    with pytest.raises(TooLarge):
        await read_body(request, 2_000_000, staging.intake({"f": Wanted(10)}.get))
    assert request.at < 200_000
    assert left_in(staging) == []


@pytest.mark.parametrize(
    "after",
    [b"", b"--b-", part(b'name="@jsonPayload"', b"[") + b"--b--\r\n", part(b'name="f"; filename="y"', b"y")],
    ids=["cut off", "almost whole", "bad payload", "cut off after another"],
)
@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_bad_body_leaves_no_file(after, size, staging):
    """What arrived before a body turned out bad goes again."""
    raw = part(b'name="f"; filename="x"', b"x" * size).removesuffix(b"\r\n" if not after else b"") + after

    with pytest.raises(BadBody):
        await read_body(sent(MULTIPART, raw), 2_000_000, staging.intake({"f": Wanted(2_000_000)}.get))
    assert await becomes_empty(staging)


async def test_who_goes_away_leaves_no_file(staging):
    """A request that is cancelled in the middle of a file takes along what has come."""
    request = sent(MULTIPART, part(b'name="f"; filename="x"', b"x" * 1_000_000))
    request.body, whole, arrived = request.body[:700_000], request.hear, asyncio.Event()

    async def hear():
        if request.at >= len(request.body):
            arrived.set()
            await asyncio.sleep(60)
        return await whole() | {"more_body": True}

    request.hear = hear
    reading = asyncio.create_task(read_body(request, 2_000_000, staging.intake({"f": Wanted(2_000_000)}.get)))
    await arrived.wait()
    assert left_in(staging) != []
    reading.cancel()
    await asyncio.wait([reading])

    assert await becomes_empty(staging)


async def becomes_empty(staging):
    """Whether nothing is left, once the thread that still writes is done."""
    for _ in range(500):
        if left_in(staging) == []:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_bad_utf8_in_a_form():
    """Bytes of a value that are no UTF-8 are replaced."""
    assert (await read_body(sent(MULTIPART, part(b'name="t"', b"\xff") + b"--b--\r\n"), 500)).data == {"t": "\ufffd"}


@pytest.mark.parametrize(
    "raw",
    [
        part(b'name="t"', b"x").removesuffix(b"\r\n"),
        part(b'name="f"; filename="x"', b"x"),
        b"--c--\r\n",
        b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"x" * 10_000,
        b"\r\n".join(b"--b\r\nContent-Disposition: form-data; name=t\r\n\r\nx" for _ in range(1001)) + b"\r\n--b--\r\n",
    ],
    ids=["cut off", "cut off file", "other boundary", "no form data", "no header", "long header", "many parts"],
)
async def test_malformed_multipart(raw):
    """A malformed multipart body is refused."""
    with pytest.raises(BadBody):
        await read_body(sent(MULTIPART, raw), 200_000)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", f"{MULTIPART}{'x' * 300}"])
async def test_bad_boundary(kind):
    """Without a sensible boundary there are no parts."""
    with pytest.raises(BadBody):
        await read_body(sent(kind, b"--b--\r\n"), 500)


async def test_announced_as_too_large():
    """A body that says it is too large is refused unread."""
    request = sent("application/json", b"{}" * 100)

    with pytest.raises(TooLarge):
        await read_body(request, 100)

    assert request.at == 0


async def test_grows_too_large():
    """A body without a length is refused once it is too large."""
    request = Sent(b'{"a":1}' * 100, [(b"transfer-encoding", b"chunked"), (b"content-type", b"application/json")], 10)

    with pytest.raises(TooLarge):
        await read_body(request, 100)

    assert request.at <= 120


@pytest.mark.parametrize("length", [b"-1", b"x", b"\xb2", b"1" * 30])
async def test_strange_lengths(length):
    """A length that is no number, or of no body there is, is refused."""
    with pytest.raises((BadBody, TooLarge)):
        await read_body(Sent(b"{}", [(b"content-length", length)]), 100)


@pytest.mark.parametrize("kind", ["application/json", MULTIPART])
async def test_client_goes_away(kind):
    """A client that goes away in the middle leaves a bad body."""
    with pytest.raises(BadBody):
        await read_body(sent(kind, b'{"a":', is_cut_off=True), 100)


async def test_too_slow(monkeypatch):
    """A body that does not arrive is not waited for without end."""
    monkeypatch.setattr(body, "READ_SECONDS", 0.05)
    request = sent("application/json", b'{"a": 1}')

    async def hear():
        await asyncio.sleep(60)

    request.hear = hear
    with pytest.raises(body.BodyTooSlow):
        await read_body(request, 100)


async def test_no_length_no_body():
    """Without a length or chunks there is no body, and nobody waits for one."""
    assert (await read_body(Sent(b"{}"), 100)).data == {}


async def test_a_large_body_may_take_longer(monkeypatch):
    """What comes steadily is waited for, beyond the time that any body has."""
    monkeypatch.setattr(body, "READ_SECONDS", 1)
    request = sent(MULTIPART, part(b'name="t"', b"x" * 600) + b"--b--\r\n", piece=100)
    monkeypatch.setattr(body, "SLOWEST", 50)
    whole = request.hear

    async def hear():
        await asyncio.sleep(0.2)
        return await whole()

    request.hear = hear
    assert (await read_body(request, 2000)).data == {"t": "x" * 600}


@given(st.sampled_from(["application/json", FORM, MULTIPART]), st.binary(max_size=300), st.integers(1, 50))
async def test_any_bytes_end_well(kind, raw, piece):
    """Whatever is sent is a body or a bad request."""
    try:
        await read_body(sent(kind, raw, piece=piece), 1000)
    except BadRequest:
        return


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(1, 50))
async def test_multipart_of_odd_parts(contents, piece):
    """Multipart bodies with odd heads and contents end well too."""
    raw = b"".join(b"--b\r\nContent-Disposition: form-data; name=" + content + b"\r\n\r\nx\r\n" for content in contents)
    try:
        await read_body(sent(MULTIPART, raw + b"--b--\r\n", piece=piece), 1000)
    except BadRequest:
        return
