"""`undercroft keys work`, `rotate index` and `scrub`: values that come along, as an operator sees and steers them."""

import json
import subprocess

import pytest
from keys_command import until
from program import COMMAND

RECORDS = "/api/collections/briefs/records"


@pytest.fixture
def briefs(keys):
    """A database with an encrypted field that can be looked up, and a record; no server runs."""
    with keys.serving() as server:
        keys.make_briefs()
        server.terminate()  # one that is killed is waited for
        server.wait()
    return keys


def rows(keys):
    return json.loads(keys.run("work", "--json"))


def found(keys, email):
    return keys.call("GET", f"{RECORDS}?filter=email='{email}'").json()["totalItems"]


def test_the_key_of_an_index_turns(briefs):
    """Another index is filled by the next server, and read when it is whole; both keys are listed."""
    assert "Nothing comes along" in briefs.run("work")
    said = briefs.run("rotate", "index", "briefs/email")
    assert "Index 2" in said
    assert "No server runs" in briefs.run("work")
    assert "coming along already" in briefs.run("rotate", "index", "briefs/email", code=1)

    command = [COMMAND, "keys", "work", "--watch", *briefs.place]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert "No server runs" in watching.stdout.readline()
    assert "briefs/email: fill a new index: waiting, 0 of 0" in watching.stdout.readline()
    with briefs.serving():
        assert found(briefs, "a@example.com") == 1
        said = watching.communicate(timeout=60)[0]
        assert watching.returncode == 0, said
        assert "briefs/email: fill a new index: done, 1 rows." in said
        assert found(briefs, "a@example.com") == 1
        assert briefs.call("POST", RECORDS, {"email": "b@example.com"}).status_code == 200
        assert found(briefs, "b@example.com") == 1
        assert "Index 3" in briefs.run("rotate", "index", "briefs/email")
        until(lambda: all(row["state"] == "done" for row in rows(briefs)))
        assert found(briefs, "b@example.com") == 1

    assert [row["kind"] for row in rows(briefs)] == ["index", "index"]
    numbers = {key["of"] for key in briefs.list()["keys"] if key["purpose"] == "index"}
    assert {of for of in numbers if of.startswith("briefs")} == {f"briefs/email/{number}" for number in (1, 2, 3)}
    assert briefs.events().count("rotation_started") == 2


def test_values_are_sealed_anew_when_their_key_turns(briefs):
    """What `rotate` began goes on by itself."""
    with briefs.serving():
        briefs.run("rotate", "value", "briefs/email")
        until(lambda: [row["state"] for row in rows(briefs)] == ["done"])
        assert briefs.read() == "a@example.com"


def test_no_index_to_turn(briefs):
    """Fields that are not there, have no index, or whose key has another algorithm are refused by name."""
    assert "no field 'e-mail'" in briefs.run("rotate", "index", "briefs/e-mail", code=1)
    assert "briefs/id has no index" in briefs.run("rotate", "index", "briefs/id", code=1)
    assert "no collection 'letters'" in briefs.run("rotate", "index", "letters/email", code=1)
    assert "has no index" in briefs.run("rotate", "index", "briefs", code=1)
    briefs.run("rotate", "index", "briefs/email", "--algorithm", "AES256_GCM", code=2)


def test_work_pauses_and_goes_on(briefs):
    """Paused work stays paused through a restart; a limit is kept in the row; who did what is written down."""
    briefs.run("rotate", "index", "briefs/email")
    work_id = rows(briefs)[0]["id"]
    briefs.run("work", "pause", work_id)
    assert "It is paused" in briefs.run("work", "pause", work_id, code=1)
    briefs.run("work", "limit", work_id, "500")
    with briefs.serving():
        assert "paused" in briefs.run("work", "--watch")
        assert found(briefs, "a@example.com") == 1
        assert (rows(briefs)[0]["state"], rows(briefs)[0]["mostRowsPerSecond"]) == ("paused", 500)
        assert "goes on" in briefs.run("work", "resume", work_id)
        until(lambda: rows(briefs)[0]["state"] == "done")
    assert "It is done" in briefs.run("work", "resume", work_id, code=1)
    assert "It is done" in briefs.run("work", "limit", work_id, "5", code=1)
    briefs.run("work", "pause", "nobody", code=1)
    briefs.run("work", "limit", work_id, "many", code=2)
    actors = {entry["event"]: entry["actor"] for entry in json.loads(briefs.run("audit", "--json"))}
    assert actors["resealing_paused"].startswith("command line (")
    assert actors["resealing_resumed"].startswith("command line (")


def test_work_that_cannot_end_says_why(keys):
    """Values that would be one stop it: the command names the index and the records, and exits with 1."""
    with keys.serving():
        token = keys.sign_in()
        keys.make_briefs()
        index = ["CREATE UNIQUE INDEX one_email ON briefs (email)"]
        assert keys.call("PATCH", "/api/collections/briefs", {"indexes": index}, token).status_code == 200
        twins = [
            keys.call("POST", RECORDS, {"email": email}).json()["id"] for email in ("T@example.com", "t@example.com")
        ]
        fields = keys.call("GET", "/api/collections/briefs", token=token).json()["fields"]
        email = next(field for field in fields if field["name"] == "email")
        email["encrypted"] = {"search": "equality", "normalize": "casefold"}
        assert keys.call("PATCH", "/api/collections/briefs", {"fields": fields}, token).status_code == 200
        until(lambda: [row["state"] for row in rows(keys)] == ["failed"])
        said = keys.run("work", "--watch", code=1)
        assert "values_clash" in said
        assert all(twin in said for twin in twins)
        assert keys.call("DELETE", f"{RECORDS}/{twins[0]}").status_code == 204
        keys.run("work", "resume", rows(keys)[0]["id"])
        until(lambda: rows(keys)[0]["state"] == "done")
        assert found(keys, "T@EXAMPLE.com") == 1


def test_scrubbing(briefs):
    """It names what it writes anew, also while a server runs, and forgets that this was to be done."""
    said = briefs.run("scrub")
    assert "Writing briefs anew" in said
    assert "Nothing is left" in said
    with briefs.serving():
        assert "Nothing is left" in briefs.run("scrub")
        assert briefs.read() == "a@example.com"
