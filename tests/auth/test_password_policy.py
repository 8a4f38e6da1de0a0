"""Passwords that nobody may set: those known from breaches, and those that tell whose they are."""

from __future__ import annotations

import contextlib
from itertools import product

import pytest
from breached_lists import write_list
from post_office import PASSWORD, USERS, open_office
from program import run

from undercroft import testing
from undercroft.auth.changing import nobodys_password
from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField

pytestmark = pytest.mark.anyio
BREACHED = "stone-and-sea-7"
CODE = "validation_password_breached"
TWICE = {"password": BREACHED, "passwordConfirm": BREACHED}


@pytest.fixture
def breached(tmp_path):
    """The list: one password that is long enough, and codes as letters have them."""
    return write_list(tmp_path, [BREACHED, *(f"{number:08d}" for number in range(100))])


@pytest.fixture
async def guarded(tmp_path, database, breached):
    """A post office whose server has a list."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            testing.client(tmp_path / "data", database, sends_mail=True, breached_passwords=breached)
        )
        yield await stack.enter_async_context(open_office(client))


def said(answer):
    return answer.status, answer.json["data"]["password"]["code"]


async def password_options(office, collection="users", **options):
    """Change the options of a collection's password field; the field as it is shown then."""
    path = f"/api/collections/{collection}"
    fields = (await office.client.get(path, as_=office.root)).json["fields"]
    changed = [field | options if field["type"] == "password" else field for field in fields]
    answer = await office.client.patch(path, {"fields": changed}, as_=office.root)
    assert answer.status == 200, answer.text
    return next(field for field in answer.json["fields"] if field["type"] == "password")


async def test_sign_up_and_update(guarded):
    """Nobody signs up with a password of the list, nor changes to one, be it themselves or a superuser."""
    new = await guarded.client.post(f"{USERS}/records", {"email": "eve@example.com", **TWICE})
    account = await guarded.join()
    token = (await guarded.log_in()).json["token"]
    own = await guarded.client.patch(f"{USERS}/records/{account}", {**TWICE, "oldPassword": PASSWORD}, as_=token)
    by_root = await guarded.client.patch(f"{USERS}/records/{account}", TWICE, as_=guarded.root)

    assert [said(answer) for answer in (new, own, by_root)] == [(400, CODE)] * 3
    assert "breach" in new.json["data"]["password"]["message"]
    assert (await guarded.log_in()).status == 200
    assert (await guarded.log_in(password=BREACHED)).status == 400


async def test_reset(guarded):
    """A reset with such a password changes nothing, and the letter is good for another one."""
    await guarded.join()
    token = await guarded.token("request-password-reset", email="ada@example.com")

    refused = await guarded.ask("confirm-password-reset", token=token, **TWICE)
    taken = await guarded.ask("confirm-password-reset", token=token, password="better-9", passwordConfirm="better-9")

    assert said(refused) == (400, CODE)
    assert taken.status == 204
    assert (await guarded.log_in(password="better-9")).status == 200


async def test_invitation(guarded):
    """Nobody accepts an invitation with such a password; the invitation counts on."""
    await guarded.options(invitations={"enabled": True})
    token = await guarded.token("invitations", as_=guarded.root, email="eve@example.com")

    refused = await guarded.ask("accept-invitation", token=token, **TWICE)
    taken = await guarded.ask("accept-invitation", token=token, password=PASSWORD, passwordConfirm=PASSWORD)

    assert said(refused) == (400, CODE)
    assert taken.status == 200


async def test_superusers(guarded):
    """Superusers have no such password either."""
    path = "/api/collections/_superusers/records"
    answer = await guarded.client.post(path, {"email": "two@example.com", **TWICE}, as_=guarded.root)

    assert said(answer) == (400, CODE)


async def test_batch_and_hooks(guarded):
    """Neither a batch nor a hook brings such a password in."""
    heard = []
    users = {"email": "eve@example.com", **TWICE}

    @guarded.client.app.on.record_created("notes")
    async def add(event):
        try:
            await event.records.as_system().users.create(users)
        except Exception as problem:
            heard.append(problem)
            raise

    notes = {"name": "notes", "type": "base", "createRule": "", "fields": []}
    assert (await guarded.client.post("/api/collections", notes, as_=guarded.root)).status == 200
    settings = {"batch": {"enabled": True, "maxRequests": 5, "timeout": 3}}
    assert (await guarded.client.patch("/api/settings", settings, as_=guarded.root)).status == 200
    requests = [{"method": "POST", "url": f"{USERS}/records", "body": users}]
    batch = await guarded.client.post("/api/batch", {"requests": requests})
    await guarded.client.post("/api/collections/notes/records", {})

    assert batch.status == 400
    assert CODE in batch.text
    assert [problem.data["password"].code for problem in heard] == [CODE]


async def test_who_may_not_write_learns_nothing(guarded):
    """Whom the rule refuses is not told what is on the list."""
    await guarded.options(createRule=None)
    answers = [
        await guarded.client.post(f"{USERS}/records", {"email": "eve@example.com", "password": p, "passwordConfirm": p})
        for p in (BREACHED, PASSWORD)
    ]

    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body == answers[1].body


async def test_not_breached_is_an_option(guarded):
    """A collection can do without the list, a password field elsewhere ask for it, and codes are never looked up."""
    await guarded.options(otp={"enabled": True, "length": 4})
    locks = {"name": "locks", "type": "base", "createRule": "", "fields": [{"name": "code", "type": "password"}]}
    assert (await guarded.client.post("/api/collections", locks, as_=guarded.root)).status == 200
    path = "/api/collections/locks/records"

    unasked = await guarded.client.post(path, {"code": BREACHED})
    field = await password_options(guarded, "locks", notBreached=True)
    asked = await guarded.client.post(path, {"code": BREACHED})
    shown = await password_options(guarded, notBreached=False)
    await guarded.join(password=BREACHED, passwordConfirm=BREACHED)

    assert unasked.status == 200
    assert field["notBreached"] is True
    assert (asked.status, asked.json["data"]["code"]["code"]) == (400, CODE)
    assert shown["notBreached"] is False
    assert (await guarded.ask("request-otp", email="ada@example.com")).status == 200


async def test_a_list_that_breaks(guarded, breached):
    """Where the list cannot be read any more no password is set, nothing of it is told, and a new file is used."""
    await guarded.join()
    held = breached.read_text()
    breached.write_text("nonsense\n" * 1000)
    eve = {"email": "eve@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}

    broken = await guarded.client.post(f"{USERS}/records", eve)
    login = await guarded.log_in()
    breached.write_text(held)
    mended = await guarded.client.post(f"{USERS}/records", eve)

    assert (broken.status, broken.code) == (500, "bad_password_list")
    assert str(breached.parent) not in broken.text
    assert (login.status, mended.status) == (200, 200)


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("my-LOVELACE-lace", False),
        ("AdaL.1815!", False),
        ("countess_42-and-7", False),
        ("Countess_42", False),
        ("al-and-no-more", True),
        ("example.com-is-mine", True),
    ],
)
async def test_personal(office, password, is_taken):
    """With `notPersonal` a password has nothing of the address, the user name or the name in it."""
    await office.options(
        fields=[
            *(await office.client.get(USERS, as_=office.root)).json["fields"],
            {"name": "username", "type": "text"},
        ]
    )
    before = await office.client.get(USERS, as_=office.root)
    field = await password_options(office, notPersonal=True)
    person = {"email": "adal.1815@example.com", "username": "countess_42", "name": "Al Lovelace"}

    new = await office.client.post(
        f"{USERS}/records", {**person, "password": password, "passwordConfirm": password}, as_=office.root
    )
    account = await office.join(**person | {"email": "adal.1815@example.org"})
    secret = {"password": password, "passwordConfirm": password}
    changed = await office.client.patch(f"{USERS}/records/{account}", secret, as_=office.root)

    assert "notPersonal" not in before.text
    assert field["notPersonal"] is True
    assert (new.status, changed.status) == ((200, 200) if is_taken else (400, 400))
    if not is_taken:
        assert said(new) == said(changed) == (400, "validation_password_personal")


async def test_personal_is_off(client):
    """Without the option a name is no reason to refuse a password, and the option false is not shown."""
    root = await client.superuser()
    fields = (await client.get(USERS, as_=root)).json["fields"]
    off = [field | {"notPersonal": False} if field["type"] == "password" else field for field in fields]

    shown = await client.patch(USERS, {"fields": off}, as_=root)
    made = await client.post(
        f"{USERS}/records", {"email": "ada@example.com", "password": "ada-ada-1", "passwordConfirm": "ada-ada-1"}
    )

    assert (shown.status, made.status) == (200, 200)
    assert "notPersonal" not in shown.text


async def test_options_are_checked(client):
    """An option that is no truth value is refused."""
    root = await client.superuser()
    for wrong in ("yes", 1, []):
        fields = [{"name": "code", "type": "password", "notBreached": wrong}]
        answer = await client.post("/api/collections", {"name": "locks", "type": "base", "fields": fields}, as_=root)

        assert answer.status == 400


async def test_superusers_of_the_command_line(tmp_path, breached, database):
    """The command line takes no such password where the environment or the site's file names the list."""
    place = ["--database", database] if database else []
    named = {"UNDERCROFT_BREACHED_PASSWORDS": str(breached)}
    command = ("superuser", "create", "me@example.com", BREACHED, *place)

    by_environment = run(*command, folder=tmp_path, **named)
    (tmp_path / "undercroft.toml").write_text('breached_passwords = "breached.txt"\n')
    by_file = run(*command, folder=tmp_path)
    other = run("superuser", "create", "me@example.com", PASSWORD, *place, folder=tmp_path)
    upsert = run("superuser", "upsert", "me@example.com", BREACHED, *place, folder=tmp_path)

    for refused in (by_environment, by_file, upsert):
        assert refused.returncode == 1
        assert "data breach" in refused.stderr
    assert other.returncode == 0, other.stderr


async def test_import_keeps_hashes(guarded, tmp_path, database, breached):
    """An import refuses plain passwords of the list, and takes hashes of accounts that come from elsewhere."""
    bcrypt = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
    (tmp_path / "people.csv").write_text(
        f"email,password\nplain@example.com,{BREACHED}\nhashed@example.com,{bcrypt}\n", encoding="utf-8"
    )
    place = ["--dir", "data", *(["--database", database] if database else [])]
    named = {"UNDERCROFT_BREACHED_PASSWORDS": str(breached)}

    done = run("import", "users", "people.csv", *place, folder=tmp_path, **named)

    listed = (await guarded.client.get(f"{USERS}/records", as_=guarded.root)).json["items"]
    assert [each["email"] for each in listed] == ["hashed@example.com"], done.stderr + done.stdout


def test_nobodys_password_is_nobodys():
    """A password that the server makes up is one that the policy takes, whatever somebody is called."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    name = " ".join("".join(word) for word in product(letters[:5], letters, letters[:5]))
    password = PasswordField(name="password", not_personal=True)
    users = Collection(id="users", name="users", type="auth", fields=(password,))

    made = [nobodys_password(users, {"email": "", "name": name})["password"] for _ in range(20)]

    assert all(password.check_personal(text, {"name": name}) is None for text in made)
    assert len(set(made)) == 20
