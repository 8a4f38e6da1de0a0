"""What hooks reach from inside a transaction: records as the caller, the database, the outbox."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, update

from undercroft.database.engine import UniqueViolation
from undercroft.errors import Invalid
from undercroft.query.errors import SuperusersOnly


@pytest.fixture
async def noted(site):
    """A site where only superusers may see or make notes."""
    closed = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"))
    await site.collection("notes", {"name": "title", "type": "text", "required": True}, **closed)
    return site


async def test_hooks_act_as_the_caller(noted):
    """What the caller may not do their hooks may not do, unless they say that they do it as the system."""
    outcome = []

    @noted.on.record_create("posts")
    async def note(event):
        try:
            await event.records.notes.create(title="as the caller")
        except SuperusersOnly:
            outcome.append("refused")
        await event.records.as_system().notes.create(title="as the system")

    await noted.create("posts", title="one")

    assert outcome == ["refused"]
    assert await noted.titles("notes") == ["as the system"]


async def test_who_asks(site):
    """The event says who asks and with which request."""
    seen = []

    @site.on.record_create("posts")
    async def look(event):
        who = event.identity and event.identity.record["email"]
        seen.append((who, event.request.method, event.request.headers["host"]))

    await site.create("posts", title="one")
    await site.create("posts", site.root, title="two")

    assert seen == [(None, "POST", "testserver"), ("root@example.com", "POST", "testserver")]


async def test_what_hooks_write_goes_with_the_transaction(noted):
    """When the record is undone, so is what hooks wrote beside it."""

    @noted.on.record_create("posts")
    async def note(event):
        await event.records.as_system().notes.create(title="beside")
        await event.next()
        raise event.refuse("Undone.")

    await noted.create("posts", title="one")

    assert await noted.titles("notes") == []


async def test_a_failed_write_of_a_hook_is_undone_by_itself(noted):
    """A hook may catch what its own write is refused with; the transaction goes on."""
    caught = []

    @noted.on.record_create("posts")
    async def note(event):
        notes = event.records.as_system().notes
        await notes.create(title="first")
        try:
            await notes.create(title="")
        except Invalid as problem:
            caught.append(list(problem.data))
        await notes.create(title="last")

    answer = await noted.create("posts", title="one")

    assert answer.status == 200
    assert caught == [["title"]]
    assert await noted.titles("notes") == ["first", "last"]


async def test_hooks_of_what_hooks_write(noted):
    """What a hook writes has hooks of its own, in the same transaction, and is told of with the rest."""
    noted.write_down("record_create", "record_created", "record_create_failed")

    @noted.on.record_create("posts", priority=1)
    async def note(event):
        notes = event.records.as_system().notes
        await notes.create(title="note")
        with suppress(Invalid):
            await notes.create(title="")

    await noted.create("posts", title="post")

    assert noted.fired == [
        *("post create(", "note create(", ")create", " create(", ")create"),
        *("post created", "note created", " create_failed"),
    ]


async def test_reading_within(site):
    """A hook reads what the transaction has written."""
    found = []

    @site.on.record_create("posts")
    async def look(event):
        await event.next()
        record = await event.records.posts.first("title = {:title}", title="one")
        page = await event.records.posts.list(total=True)
        found.extend([record.title, page.total, await event.records.posts.count()])
        await event.records.posts.update(record.id, body="found")

    await site.create("posts", title="one")

    assert found == ["one", 1, 1]


async def test_deleting_within(site):
    """A hook deletes other records, with what hangs on them."""
    old = await site.add("posts", title="old")

    @site.on.record_create("posts")
    async def clean(event):
        await event.records.posts.delete(old)

    await site.create("posts", title="new")

    assert await site.titles() == ["new"]


async def test_sql(site):
    """Statements of SQLAlchemy Core run in the transaction, with their values bound."""
    await site.collection(
        "facts",
        {"name": "n", "type": "number"},
        {"name": "is_old", "type": "bool"},
        {"name": "at", "type": "date"},
        {"name": "tags", "type": "json"},
        {"name": "title", "type": "text"},
    )
    for number in range(3):
        await site.add(
            "facts", n=number, is_old=number == 1, at="2024-01-01 10:00:00.000Z", tags=[number], title="it's"
        )
    rows = {}

    @site.on.record_create("posts")
    async def ask(event):
        facts = event.tables.facts
        rows["all"] = await event.sql(select(facts.c.n, facts.c.is_old, facts.c.tags).order_by(facts.c.n))
        rows["in"] = await event.sql(select(facts.c.n).where(facts.c.n.in_([0, 2])).order_by(facts.c.n.desc()))
        rows["none"] = await event.sql(select(facts.c.n).where(facts.c.n.in_([])))
        rows["page"] = await event.sql(select(facts.c.n).order_by(facts.c.n).limit(1).offset(1))
        rows["sum"] = await event.sql(select(func.sum(facts.c.n).label("sum")))
        rows["quote"] = await event.sql(select(func.count().label("n")).where(facts.c.title == "it's"))
        rows["named"] = await event.sql(select(facts.c.n).where(facts.c.n == bindparam("wanted")), wanted=2)
        moment = datetime(2024, 1, 1, 10, tzinfo=UTC)
        rows["date"] = await event.sql(select(func.count().label("n")).where(facts.c.at == moment))
        rows["bool"] = await event.sql(select(facts.c.n).where(facts.c.is_old == True))  # noqa: E712 - SQLAlchemy's way to say it
        rows["is"] = await event.sql(select(facts.c.n).where(facts.c.is_old.is_(False)).order_by(facts.c.n))
        await event.sql(update(facts).where(facts.c.n == 0).values(n=facts.c.n + 10))
        await event.sql(delete(facts).where(facts.c.n == 1))
        await event.sql(insert(facts).values(id="a" * 15, n=7, tags=["x"], is_old=True, at=moment, title=""))
        rows["after"] = await event.sql(select(facts.c.n, facts.c.is_old, facts.c.tags).order_by(facts.c.n))

    answer = await site.create("posts", title="one")

    assert answer.status == 200
    assert rows["all"][1] == {"n": 1, "is_old": True, "tags": [1]}
    assert rows["in"] == [{"n": 2}, {"n": 0}]
    assert rows["none"] == []
    assert rows["page"] == [{"n": 1}]
    assert rows["sum"] == [{"sum": 3}]
    assert rows["quote"] == [{"n": 3}]
    assert rows["named"] == [{"n": 2}]
    assert rows["date"] == [{"n": 3}]
    assert rows["bool"] == [{"n": 1}]
    assert rows["is"] == [{"n": 0}, {"n": 2}]
    assert [row["n"] for row in rows["after"]] == [2, 7, 10]
    assert rows["after"][1] == {"n": 7, "is_old": True, "tags": ["x"]}


async def test_a_value_is_never_part_of_a_statement(site):
    """What looks like SQL is a value."""
    found = []

    @site.on.record_create("posts")
    async def ask(event):
        posts = event.tables.posts
        await event.next()
        found.extend(await event.sql(select(posts.c.title).where(posts.c.title == event.record["title"])))

    await site.create("posts", title="x' OR 1=1 --")

    assert found == [{"title": "x' OR 1=1 --"}]


async def test_a_statement_that_fails(site):
    """A statement that the database refuses leaves the transaction as it was."""
    await site.add("posts", title="one")
    caught = []

    @site.on.record_create("posts", priority=1)
    async def ask(event):
        try:
            await event.sql(update(event.tables.posts).values(id="b" * 15, title="two"))
            await event.sql(insert(event.tables.posts).values(id="a" * 15, title="two", body=""))
        except UniqueViolation as error:
            caught.append(type(error).__name__)

    answer = await site.create("posts", title="three")

    assert answer.status == 200
    assert caught == ["UniqueViolation"]


async def test_a_table_that_is_not_there(site, caplog):
    """A misspelt collection is named, with the nearest one."""

    @site.on.record_create("posts")
    async def ask(event):
        return event.tables.post

    answer = await site.create("posts", title="one")

    assert answer.status == 500
    assert "no collection 'post'. Did you mean 'posts'?" in caplog.text


async def test_tables_of_an_app(site):
    """`app.tables` has them as well, for those who embed the app."""
    assert [column.name for column in site.client.app.tables.posts.c] == ["id", "title", "body"]


async def test_mail_goes_with_the_transaction(site):
    """A letter is sent when the record stays, and never if it does not."""

    @site.on.record_create("posts")
    async def write(event):
        await event.mail("team@example.com", f"New: {event.record['title']}", text="Have a look.")
        if event.record["title"] == "bad":
            raise event.refuse("No.")

    await site.create("posts", title="bad")
    await site.create("posts", title="good")

    letter = await site.client.letter("team@example.com")
    assert letter["subject"] == "New: good"
    assert len(await site.client.backend.engine.read('SELECT "id" FROM "_outbox" WHERE "kind" = \'hook\'')) == 1


async def test_plain_functions_reach_as_much(site):
    """A hook that is a plain function waits for what is asynchronous."""
    seen = []

    @site.on.record_create("posts")
    def plain(event):
        seen.append(event.wait(event.records.posts.count()))
        event.record["body"] = "plain"
        event.wait(event.next())
        seen.append(event.wait(event.records.posts.count()))

    answer = await site.create("posts", title="one")

    assert answer.json["body"] == "plain"
    assert seen == [0, 1]


async def test_waiting_in_an_async_hook(site, caplog):
    """An async hook that waits as plain functions do is told to await."""

    @site.on.record_create("posts")
    async def confused(event):
        event.wait(event.next())

    answer = await site.create("posts", title="one")

    assert answer.status == 500
    assert "An async hook awaits" in caplog.text


async def test_values_are_cast(site):
    """What a hook puts into a record is cast as if it had been sent, and then checked."""

    @site.on.record_create("posts")
    async def fill(event):
        event.record["title"] = 5
        event.record["body"] = None

    answer = await site.create("posts", title="one")

    assert (answer.json["title"], answer.json["body"]) == ("5", "")


async def test_a_hook_repairs_what_was_sent(site):
    """Values are checked after the hooks, so a hook may fill in what is required."""

    @site.on.record_create("posts")
    async def fill(event):
        event.record["title"] = event.record["title"] or "untitled"

    answer = await site.create("posts")

    assert answer.json["title"] == "untitled"


async def test_a_field_that_is_not_there(site, caplog):
    """A misspelt field is named, with the nearest one."""

    @site.on.record_create("posts")
    async def fill(event):
        event.record["titel"] = "x"

    answer = await site.create("posts", title="one")

    assert answer.status == 500
    assert "no field 'titel'. Did you mean 'title'?" in caplog.text


async def test_validation(site):
    """A hook adds errors to those of the fields; the caller hears of all together."""

    @site.on.record_validate("posts")
    async def check(event):
        event.add_error("body", "Too short.", code="too_short")

    answer = await site.create("posts", title="")

    assert {name: error["code"] for name, error in answer.error.data.items()} == {
        "title": "validation_required",
        "body": "too_short",
    }


async def test_the_original(site):
    """An update shows what was stored before, and cannot change that."""
    post = await site.add("posts", title="one")
    seen = []

    @site.on.record_update("posts")
    async def look(event):
        seen.append((event.original["title"], event.record["title"]))
        with pytest.raises(TypeError):
            event.original["title"] = "other"

    site.on.record_updated("posts")(lambda event: seen.append((event.original["title"], event.record["title"])))

    await site.update("posts", post, title="two")

    assert seen == [("one", "two"), ("one", "two")]


async def test_passwords_are_not_shown(site, caplog):
    """A hook sees no password and no hash, and sets none past the hashing."""
    seen = []

    @site.on.record_create("users")
    async def look(event):
        seen.append(event.record["password"])
        if event.record["name"] == "Eve":
            event.record["password"] = "plain"

    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    fine = await site.create("users", site.root, **account, name="Ann")
    refused = await site.create("users", site.root, **account | {"email": "b@example.com"}, name="Eve")

    assert fine.status == 200
    assert seen == ["", ""]
    assert refused.status == 500
    assert "is a password" in caplog.text
    assert await site.client.login("users", "a@example.com", "password-1")


async def test_another_address_ends_the_tokens(site):
    """An account that a hook gives another address has new tokens, as ever."""
    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    user = (await site.create("users", site.root, **account)).json["id"]
    token = await site.client.login("users", "a@example.com", "password-1")

    @site.on.record_update("users")
    async def move(event):
        event.record["email"] = "b@example.com"

    await site.update("users", user, site.root, name="moved")
    answer = await site.client.post("/api/collections/users/auth-refresh", as_=token)

    assert answer.status == 401
