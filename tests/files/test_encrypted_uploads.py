"""Encrypted files on their way: what has arrived is on no disk in clear, and can still be gone on with."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha256
from random import Random

import pytest
from canaries import files_below, new_canary, rows_of, sightings
from pictures import encode, quarters
from tus import Feeding, begin, encode_metadata, file_field, look, offset_of, send, upload
from vault import FIELDS, RECORDS, RULES, VAULT, Kept, everything_stored, make_vault, put, stored_bytes

from undercroft import testing
from undercroft.testing import File, _make_scope

pytestmark = pytest.mark.local_only("what has not arrived is in a folder, wherever files are kept")

CONTENT = Random(5).randbytes(300_000)
CUT = 100_001
NAMED = {"collection": "vault", "field": "doc", "filename": "Report.txt"}


@pytest.fixture
async def vault(client):
    await make_vault(client)
    return client


def part_of(client, upload_id):
    return client.backend.uploads.parts.path(upload_id)


async def use(client, upload_id, field="doc"):
    """The record that an upload became a file of."""
    answer = await client.post(RECORDS, {field: f"@upload:{upload_id}"})
    assert answer.status == 200, answer.text
    return Kept(client, answer.json)


@pytest.mark.parametrize("told", [NAMED, {}], ids=["named", "for any field"])
async def test_piece_by_piece(vault, tmp_path, told):
    """An upload that could be for an encrypted field arrives sealed, piece after piece, and becomes the file."""
    canary = new_canary()
    content = canary.encode() + CONTENT + canary.encode()
    place = (await begin(vault, len(content), **told)).headers["location"]
    for start in range(0, len(content), CUT):
        assert (await send(vault, place, start, content[start : start + CUT])).status == 204
        assert await offset_of(vault, place) == min(start + CUT, len(content))
        assert sightings([canary], files_below(tmp_path)) == []
    kept = await use(vault, place.rpartition("/")[2])

    assert (await kept.get()).body == content
    assert sightings([canary], files_below(tmp_path)) == []
    assert await kept.row() is not None


async def test_for_a_plain_field(vault):
    """An upload that arrived sealed, since nobody knew better, becomes a plain file of a plain field."""
    upload_id = await upload(vault, CONTENT, filename="a.bin")
    assert CONTENT[:100] not in part_of(vault, upload_id).read_bytes()
    kept = await use(vault, upload_id, "plain")

    assert await stored_bytes(vault, kept.key("plain")) == CONTENT
    assert await kept.row("plain") is None


async def test_where_nothing_is_encrypted(client):
    """Where no field is encrypted that an upload could be for it arrives as it is."""
    root = await client.superuser()
    made = {"name": "open", "fields": [file_field()], **RULES}
    assert (await client.post("/api/collections", made, as_=root)).status == 200
    upload_id = await upload(client, CONTENT)

    assert part_of(client, upload_id).read_bytes() == CONTENT


async def test_begun_before_it_was_encrypted(client):
    """An upload that began in clear is encrypted when an encrypted field takes it."""
    await make_vault(client, fields=[field | {"encrypted": False} for field in FIELDS])
    upload_id = await upload(client, CONTENT, filename="a.bin")
    changed = await client.patch("/api/collections/vault", {"fields": FIELDS}, as_=await client.superuser())
    assert changed.status == 200
    kept = await use(client, upload_id)

    assert (await kept.get()).body == CONTENT
    assert CONTENT[:100] not in await stored_bytes(client, await kept.stored_key())


async def test_an_empty_upload(vault):
    """An upload of nothing becomes an empty file."""
    kept = await use(vault, await upload(vault, b"", **NAMED))

    assert ((await kept.get()).status, (await kept.get()).body) == (200, b"")
    assert await kept.row() is not None


async def test_a_cut_piece(vault, seed):
    """Wherever a killed writer left off, an upload goes on behind the last piece that is whole."""
    random = Random(seed)
    place = (await begin(vault, len(CONTENT), **NAMED)).headers["location"]
    part = part_of(vault, place.rpartition("/")[2])
    ends = []
    for start in range(0, 200_000, 50_000):
        assert (await send(vault, place, start, CONTENT[start : start + 50_000])).status == 204
        ends.append((start + 50_000, part.stat().st_size))
    cut = random.randrange(part.stat().st_size)
    part.write_bytes(part.read_bytes()[:cut])
    offset = await offset_of(vault, place)

    assert offset == max((told for told, end in ends if end <= cut), default=0)
    assert (await send(vault, place, offset, CONTENT[offset:])).status == 204
    kept = await use(vault, place.rpartition("/")[2])
    assert (await kept.get()).body == CONTENT


async def test_a_piece_with_a_wrong_checksum(vault):
    """A piece that is not what its checksum says is dropped, and the upload goes on before it."""
    place = (await begin(vault, len(CONTENT), **NAMED)).headers["location"]
    assert (await send(vault, place, 0, CONTENT[:CUT])).status == 204
    wrong = {"upload-checksum": f"sha256 {b64encode(sha256(b'other').digest()).decode()}"}
    refused = await send(vault, place, CUT, CONTENT[CUT : 2 * CUT], headers=wrong)
    right = {"upload-checksum": f"sha256 {b64encode(sha256(CONTENT[CUT:]).digest()).decode()}"}

    assert (refused.error.code, await offset_of(vault, place)) == ("wrong_checksum", CUT)
    assert (await send(vault, place, CUT, CONTENT[CUT:], headers=right)).status == 204
    kept = await use(vault, place.rpartition("/")[2])
    assert (await kept.get()).body == CONTENT


async def test_an_interrupted_piece(vault):
    """Of a piece whose sender goes away what has come is kept."""
    place = (await begin(vault, len(CONTENT), **NAMED)).headers["location"]
    feeding = Feeding(vault, place, 0)
    feeding.feed(CONTENT[:CUT])
    await feeding.cut()
    offset = await offset_of(vault, place)
    assert (await send(vault, place, offset, CONTENT[offset:])).status == 204
    kept = await use(vault, place.rpartition("/")[2])

    assert offset == CUT
    assert (await kept.get()).body == CONTENT


@pytest.mark.parametrize("at", [2, 10, 200, 60_000, -1])
async def test_an_altered_upload(vault, at):
    """What was altered where it waits becomes no file."""
    upload_id = await upload(vault, CONTENT, **NAMED)
    part = part_of(vault, upload_id)
    content = bytearray(part.read_bytes())
    content[at] ^= 1
    part.write_bytes(content)

    answer = await vault.post(RECORDS, {"doc": f"@upload:{upload_id}"})

    assert answer.status in {400, 500}
    assert answer.code in {"decryption_failed", "invalid"}
    assert (await vault.get(RECORDS)).json["totalItems"] == 0


async def test_pieces_exchanged(vault):
    """Pieces that change places become no file."""
    place = (await begin(vault, 200_000, **NAMED)).headers["location"]
    part = part_of(vault, place.rpartition("/")[2])
    assert (await send(vault, place, 0, CONTENT[:100_000])).status == 204
    cut = part.stat().st_size
    assert (await send(vault, place, 100_000, CONTENT[100_000:200_000])).status == 204
    both = part.read_bytes()
    part.write_bytes(both[cut:] + both[:cut])

    answer = await vault.post(RECORDS, {"doc": f"@upload:{place.rpartition('/')[2]}"})

    assert (answer.status, answer.code) == (500, "decryption_failed")


async def test_a_form_on_its_way(vault, tmp_path):
    """A file of a form is on no disk in clear, not even while it arrives; a plain one is, where it waits."""
    secret, known = new_canary(), new_canary()
    messages = asyncio.Queue()
    posting = asyncio.create_task(post_form(vault, messages))
    for field, canary in (("doc", secret), ("plain", known)):
        head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="{field}.txt"\r\n\r\n'
        content = canary.encode() + bytes(600_000) + canary.encode()
        messages.put_nowait({"type": "http.request", "body": head.encode() + content, "more_body": True})
        messages.put_nowait({"type": "http.request", "body": b"\r\n", "more_body": True})
    for _ in range(2000):
        if sightings([known], files_below(tmp_path)):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("what is sent in clear has never arrived")
    seen = sightings([secret], files_below(tmp_path))
    messages.put_nowait({"type": "http.request", "body": b"--b--\r\n", "more_body": False})
    await posting

    assert seen == []
    assert (await vault.get(RECORDS)).json["totalItems"] == 1


async def post_form(client, messages):
    told = {"host": "testserver", "content-type": "multipart/form-data; boundary=b", "transfer-encoding": "chunked"}

    async def ignore(message):
        """What the answer is does not matter."""

    await client.app(_make_scope("POST", RECORDS, "", told), messages.get, ignore)


async def test_keys_of_uploads_are_sealed(vault):
    """The key of an upload stands in the database, and not in clear."""
    place = (await begin(vault, 10, **NAMED)).headers["location"]
    ((key,),) = await vault.backend.engine.read('SELECT "key" FROM "_uploads"')

    assert key.startswith("uc1:")
    assert VAULT["id"] not in key
    assert (await send(vault, place, 0, b"0123456789")).status == 204


async def test_what_is_said_of_an_upload(vault, tmp_path):
    """What a client says of an unfinished upload is its own to know: neither a table has it in clear, nor a file."""
    canary = new_canary()
    place = (await begin(vault, 10, filename=f"{canary}.txt", note=canary)).headers["location"]
    answer = await look(vault, place)

    assert answer.headers["upload-metadata"] == encode_metadata({"filename": f"{canary}.txt", "note": canary})
    assert sightings([canary], await rows_of(vault.backend.engine)) == []
    assert sightings([canary], files_below(tmp_path)) == []


async def test_what_an_older_program_left(tmp_path, database):
    """What was said of unfinished uploads before is sealed at the next start."""
    canary = new_canary()
    async with testing.client(tmp_path / "data", database) as client:
        await make_vault(client)
        place = (await begin(client, 10, filename=canary)).headers["location"]
        engine, mark = client.backend.engine, client.backend.engine.dialect.placeholder

        async def undo(tx):
            await tx.run('UPDATE "_params" SET "value" = \'true\' WHERE "id" = \'sealedTexts\'')
            await tx.run(f'UPDATE "_uploads" SET "metadata" = {mark(1)}', [encode_metadata({"filename": canary})])

        await engine.write(undo)

    async with testing.client(tmp_path / "data", database) as client:
        told = (await look(client, place)).headers["upload-metadata"]

        assert told == encode_metadata({"filename": canary})
        assert sightings([canary], await rows_of(client.backend.engine)) == []


async def test_nothing_is_on_any_disk(vault, tmp_path):
    """E01, files: whole and unfinished, of forms and of uploads, hidden names and thumbs: not one canary is found."""
    inside, name, waiting = new_canary(), new_canary(), new_canary()
    photo = encode(quarters(), "image/jpeg") + inside.encode()
    kept = await put(vault, doc=inside.encode() * 5000, photo=photo, covert=File(f"{name}.txt", inside.encode()))
    thumb = (await kept.get("photo", thumb="40x20")).body
    whole = await use(vault, await upload(vault, inside.encode() * 9, filename=f"{name}.txt"), "covert")
    place = (await begin(vault, 500_000, filename=f"{waiting}.txt", field="covert")).headers["location"]
    assert (await send(vault, place, 0, waiting.encode() * 4000)).status == 204
    canaries = [inside, name, waiting]

    found = sightings(canaries, [*files_below(tmp_path), *await everything_stored(vault)])
    stored = [content for _, content in await everything_stored(vault)]

    assert found == []
    assert sightings(canaries, await rows_of(vault.backend.engine)) == []
    assert not any(thumb[start : start + 40] in each for each in stored for start in range(0, len(thumb) - 40, 40))
    assert inside.encode() in (await whole.get("covert")).body
