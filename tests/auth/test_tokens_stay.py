"""Where secrets go: to whom they are for, and into no address, no other header, no log."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest
from post_office import token_in_text
from servers import PASSWORD, ROOT, running
from visitor import Sheet

USERS = "/api/collections/users"
ADA, EVE = "ada@example.com", "eve@example.com"
NEW = "better-horse-10"
WRONG = "a-wrong-and-secret-password"
ADDRESS = re.compile(r"""(?:https?:|/)[^\s"'<>\\]*""")
OPTIONS = {"otp": {"enabled": True}, "magicLink": {"enabled": True}, "invitations": {"enabled": True}}
KEPT_BACK = {"no-referrer", "strict-origin-when-cross-origin"}
"""What other sites are told of an address with these: nothing but the host at most."""
LOGIN = '{{ sign_in_form(records.users, then="/") }}'


@dataclass
class Tour:
    """Somebody who does all that one can do with an account; what was answered, and what is secret."""

    url: str
    folder: Path
    answers: list[httpx.Response] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, event_hooks={"response": [self._keep]}, timeout=30)

    def _keep(self, answer: httpx.Response) -> None:
        answer.read()
        self.answers.append(answer)

    def call(self, method: str, path: str, body: Any = None, token: str = "", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {}) | ({"authorization": token} if token else {})
        return self.client.request(method, path, json=body, headers=headers, **more)

    def letters(self) -> list[EmailMessage]:
        """The letters so far, oldest first."""
        files = sorted(self.folder.glob("data/mail/*.eml"), key=lambda file: file.stat().st_mtime_ns)
        return [message_from_bytes(file.read_bytes(), EmailMessage, policy=default) for file in files]

    def letter(self, path: str, body: Any, token: str = "") -> tuple[httpx.Response, str]:
        """The answer to who asks for a letter, and its text."""
        count = len(self.letters())
        answer = self.call("POST", f"{USERS}/{path}", body, token)
        assert answer.status_code in {200, 204}, answer.text
        deadline = time.monotonic() + 20
        while len(self.letters()) == count and time.monotonic() < deadline:
            time.sleep(0.02)
        return answer, self.letters()[-1].get_body(("plain",)).get_content()

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def tour(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """The whole tour of one server that writes down every request."""
    folder = tmp_path_factory.mktemp("tour")
    (folder / "pages").mkdir()
    (folder / "pages" / "login.html").write_text(LOGIN)
    (folder / "pages" / "index.html").write_text("{{ user.email if user else 'guest' }}")
    database = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    with running("undercroft", folder, database, "--access-log", "--dev") as server:
        made = Tour(server.url, folder)
        with made.client:
            go_round(made, server.tokens["root"])
        yield made


def go_round(tour: Tour, root: str) -> None:
    """Sign up, in, and out, lose what can be lost, and get everything wrong once."""
    kept = tour.secrets
    kept |= {"root": root, "password": PASSWORD, "new password": NEW, "wrong password": WRONG}
    fields = [
        *tour.call("GET", USERS, token=root).json()["fields"],
        {"name": "paper", "type": "file", "protected": True, "maxSelect": 1},
    ]
    rules = {"fields": fields, "viewRule": "id = @request.auth.id", "listRule": "id = @request.auth.id"}
    assert tour.call("PATCH", USERS, OPTIONS | rules, root).status_code == 200
    form = {"email": ADA, "password": PASSWORD, "passwordConfirm": PASSWORD}
    made = tour.client.post(f"{USERS}/records", data=form, files={"paper": ("a.txt", b"hello", "text/plain")}).json()
    login = {"identity": ADA, "password": PASSWORD}
    kept["token"] = token = tour.call("POST", f"{USERS}/auth-with-password", login).json()["token"]
    time.sleep(1.1)  # a token of the same second would be the same one
    kept["renewed"] = tour.call("POST", f"{USERS}/auth-refresh", {}, token).json()["token"]
    kept["lent"] = tour.call("POST", f"{USERS}/impersonate/{made['id']}", {}, root).json()["token"]
    kept["file token"] = tour.call("POST", "/api/files/token", token=token).json()["token"]
    path = f"/api/files/users/{made['id']}/{made['paper']}"
    assert tour.client.get(path, params={"token": kept["file token"]}).text == "hello"
    take_letters(tour, token, root)
    sign_in_by_form(tour)
    get_it_wrong(tour, token)


def take_letters(tour: Tour, token: str, root: str) -> None:
    """Ask for every letter, and use what is in it."""
    kept, to_ada = tour.secrets, {"email": ADA}
    for name, path, body, caller in (
        ("verification", "request-verification", to_ada, ""),
        ("link", "request-magic-link", to_ada, ""),
        ("move", "request-email-change", {"newEmail": "new@example.com"}, token),
        ("invitation", "invitations", {"email": EVE}, root),
    ):
        kept[name] = token_in_text(tour.letter(path, body, caller)[1])
    asked, code = tour.letter("request-otp", to_ada)
    kept["code"] = re.search(r"\d{8}", code)[0]
    otp = {"otpId": asked.json()["otpId"], "password": kept["code"]}
    assert tour.call("POST", f"{USERS}/confirm-verification", {"token": kept["verification"]}).status_code == 204
    kept["by code"] = tour.call("POST", f"{USERS}/auth-with-otp", otp).json()["token"]
    kept["by link"] = tour.call("POST", f"{USERS}/auth-with-magic-link", {"token": kept["link"]}).json()["token"]
    twice = {"password": NEW, "passwordConfirm": NEW}
    invited = {"token": kept["invitation"], **twice}
    kept["by invitation"] = tour.call("POST", f"{USERS}/accept-invitation", invited).json()["token"]
    kept["reset"] = token_in_text(tour.letter("request-password-reset", to_ada)[1])
    body = {"token": kept["reset"], **twice}
    assert tour.call("POST", f"{USERS}/confirm-password-reset", body).status_code == 204


def sign_in_by_form(tour: Tour) -> None:
    """Come in by a page, where a cookie stands for the account."""
    own = {"sec-fetch-site": "same-origin"}
    form = Sheet(tour.client.get("/login", headers=own).text).forms[0]
    typed = form["fields"] | {"identity": ADA, "password": NEW}
    answer = tour.client.post(form["action"], data=typed, headers=own)
    assert answer.status_code == 303, answer.text
    [(name, tour.secrets["session"])] = answer.cookies.items()
    cookie = {"cookie": f"{name}={tour.secrets['session']}"}
    assert ADA in tour.client.get("/", headers=own | cookie).text


def get_it_wrong(tour: Tour, token: str) -> None:
    """Send secrets where they do not belong, so that errors are told and logged."""
    tour.client.cookies.clear()
    for name, secret in list(tour.secrets.items()):
        query = {"token": secret, "filter": "nothing = (", "sort": "nothing", "fields": "("}
        tour.client.get(f"{USERS}/records", params=query)
        tour.call("GET", f"{USERS}/records", token=secret[:-1])
        tour.call("POST", f"{USERS}/confirm-verification", {"token": secret, "name": name})
        tour.call("POST", f"{USERS}/confirm-password-reset", {"token": secret, "password": "x", "passwordConfirm": "y"})
        tour.client.get("/api/files/users/x/y", params={"token": secret})
        tour.client.get("/api/nothing", params={"access_token": secret}, headers={"authorization": secret})
    tour.call("POST", f"{USERS}/auth-with-password", {"identity": ADA, "password": WRONG})
    tour.call("POST", f"{USERS}/auth-with-password", {"identity": ROOT, "password": WRONG}, token)
    tour.client.post("/api/collections/users/auth-with-password", content=f'{{"password": "{WRONG}"'.encode())


def found(secrets: dict[str, str], text: str) -> set[str]:
    return {name for name, secret in secrets.items() if secret in text}


def test_the_tour_is_long(tour: Tour):
    """The tour has met every kind of secret, and many answers."""
    assert len(tour.secrets) >= 18
    assert all(len(secret) >= 8 for secret in tour.secrets.values())
    assert len(tour.answers) > 100


def test_not_in_headers(tour: Tour):
    """No header of any answer has a secret, but for the cookie of a session."""
    for answer in tour.answers:
        for name, value in answer.headers.items():
            assert found(tour.secrets, value) <= ({"session"} if name == "set-cookie" else set()), (name, answer.url)


def test_not_in_addresses(tour: Tour):
    """No address in any answer has a secret in it, and no page tells others where it was called from."""
    for answer in tour.answers:
        addresses = ADDRESS.findall(answer.text)
        assert not any(found(tour.secrets, address) for address in addresses), answer.url
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert answer.headers["referrer-policy"] in KEPT_BACK


def test_told_once(tour: Tour):
    """A token is in the answer that hands it out, as `token`, and in no other: errors repeat nothing."""
    for answer in tour.answers:
        told = found(tour.secrets, answer.text)
        if told and answer.url.path.startswith("/api/"):
            assert answer.status_code == 200, (told, answer.text)
            assert tour.secrets[told.pop()] == answer.json()["token"]


def test_letters_keep_theirs_to_browsers(tour: Tour):
    """What a letter's link holds stands behind the `#`, which no browser sends."""
    letters = tour.letters()
    assert len(letters) >= 6
    for letter in letters:
        for kind in ("plain", "html"):
            for address in ADDRESS.findall(letter.get_body((kind,)).get_content()):
                assert not found(tour.secrets, address.partition("#")[0])


def test_not_in_the_log(tour: Tour):
    """The log has a line about every request, and none of the secrets."""
    log = tour.log()

    assert log.count("/confirm-verification") > 10
    assert found(tour.secrets, log) == set()
