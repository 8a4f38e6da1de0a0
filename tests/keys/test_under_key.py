"""What still is under a key is counted before the key is destroyed, and is in the way."""

import json

from furnished import furnish
from keys_command import until
from vault import VAULT, make_vault, put

from undercroft import testing
from undercroft.encryption.wrapping import KeyName
from undercroft.records.under_key import count_under


def test_values_are_in_the_way(keys):
    """A key under which values still are is not destroyed, unless one says that they are given up."""
    with keys.serving() as server:
        keys.make_briefs()
        server.terminate()
        server.wait()
    keys.run("rotate", "value", "briefs/email")
    _, old = keys.ids("value", "briefs/email")
    keys.run("disable", str(old))

    refused = keys.run("destroy", str(old), "--early", "--yes", code=1)
    assert "1 of the values of briefs/email" in refused
    assert keys.ids("value", "briefs/email")[1] == old
    assert "and with it 1 of the values of briefs/email" in keys.run("destroy", str(old), "--early", "--yes", "--force")
    with keys.serving():
        assert keys.read() == 500


def test_what_came_along_is_not(keys):
    """Once nothing is under a key it can be destroyed."""
    with keys.serving():
        keys.make_briefs()
        keys.run("rotate", "value", "briefs/email")
        until(lambda: [row["state"] for row in json.loads(keys.run("work", "--json"))] == ["done"])
        _, old = keys.ids("value", "briefs/email")
        keys.run("disable", str(old))
        assert f"Key {old} is destroyed.\n" in keys.run("destroy", str(old), "--early", "--yes")
        assert keys.read() == "a@example.com"


async def test_each_purpose(tmp_path, database):
    """Files, fingerprints and the server's own secrets are counted as values are."""
    async with testing.client(tmp_path / "data", database) as client:
        backend = client.backend
        root = await make_vault(client)
        await furnish(client, root)
        for _ in range(3):
            await put(client, doc=b"x", docs=b"y")
        notes = backend.catalog.collection("notes")
        of_mail = f"{notes.id}/{notes.by_name['mail'].id}"
        names = [("file", VAULT["id"]), ("index", f"{of_mail}/1"), ("value", of_mail), ("system", ""), ("value", "a/b")]

        told = []
        for purpose, scope in names:
            key_id = backend.keyring.key_set(purpose, scope).primary_id if scope != "a/b" else 7
            told += map(str, await count_under(backend.engine, backend.catalog, KeyName(purpose, scope, key_id, "")))

    assert told[:3] == [
        "6 of the files of vault",
        "1 of the fingerprints of notes/mail",
        "1 of the values of notes/mail",
    ]
    assert told[3].endswith(" of the secrets of the server")
    assert len(told) == 4
