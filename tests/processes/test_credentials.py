"""What ends an account's credentials ends them in every process: on two workers, and on two nodes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from club import Club
from forgery import resigned
from network import free_port
from program import run, serving
from roots import environment
from s3_server import KEYS
from servers import PASSWORD, ROOT, Server
from visitor import OWN_PAGE, Sheet
from workers import Line, line_to_each

MEMBERS = "/api/collections/members"
NOTES = "/api/collections/notes"
RULE = "@request.auth.role = 'staff'"
OPEN = {"listRule": "", "viewRule": "", "createRule": ""}
LOGIN_PAGE = "{{ sign_in_form(records.members, then='/') }}"
NEW = "another-horse-9"
PATIENCE = 30


@dataclass
class Place:
    """A server of two workers, or two servers on one database and one bucket."""

    club: Club
    to_each: Callable[[], contextlib.AbstractContextManager[list[Line]]]
    """A line to each process."""
    note: str = ""
    file: str = ""

    @property
    def server(self) -> Server:
        return self.club.server

    def furnish(self) -> None:
        role = [{"name": "role", "type": "text"}]
        members = {"name": "members", "type": "auth", "fields": role, "updateRule": "id = @request.auth.id"}
        self.club.expect(200, "POST", "/api/collections", members)
        fields = [{"name": "paper", "type": "file", "protected": True}, {"name": "text", "type": "text"}]
        staff = {"name": "notes", "type": "base", "fields": fields, "listRule": RULE, "viewRule": RULE}
        self.club.expect(200, "POST", "/api/collections", staff)
        news = {"name": "news", "type": "base", "fields": [{"name": "text", "type": "text"}], **OPEN}
        self.club.expect(200, "POST", "/api/collections", news)
        headers = {"Authorization": self.server.tokens["root"]}
        made = httpx.post(f"{self.server.url}{NOTES}/records", headers=headers, files={"paper": b"paper"}, timeout=30)
        self.note, self.file = made.json()["id"], made.json()["paper"]


@dataclass
class Ears:
    """A client that listens to a process: what it heard, and whether the server closed it."""

    line: Line
    is_over: bool = False
    heard: list[str] = field(default_factory=list)

    def listen(self, **headers: str) -> None:
        answer = self.line.open("/api/realtime")
        threading.Thread(target=self._read, args=(answer,), daemon=True).start()
        wait_until(lambda: bool(self.heard), "the connection says who it is")
        client_id = json.loads(self.heard[0])["clientId"]
        body = {"clientId": client_id, "subscriptions": ["notes/*", "news/*"]}
        answer = httpx.post(f"http://127.0.0.1:{self.line.server}/api/realtime", json=body, headers=headers, timeout=30)
        assert answer.status_code == 204, answer.text

    def _read(self, answer: Any) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be closed meanwhile
            while line := answer.readline():
                if line.startswith(b"data:"):
                    self.heard.append(line[5:].decode())
        self.is_over = True


CREDENTIALS = ("token", "session", "file token", "API key", "key's file token")


@dataclass
class Credentials:
    """All that a member of the staff has in hand."""

    place: Place
    lines: list[Line]
    id: str
    email: str
    token: str
    cookie: str
    file_token: str
    key: str
    key_file_token: str
    ears: dict[str, list[Ears]]
    """For each credential that one listens with, one in each process."""

    def alive(self, line: Line) -> dict[str, bool]:
        """What still opens something at a process."""
        note, paper = f"{NOTES}/records/{self.place.note}", f"/api/files/notes/{self.place.note}/{self.place.file}"
        return {
            "token": line.status(note, authorization=self.token) == 200,
            "session": line.status(note, cookie=self.cookie, sec_fetch_site="same-origin") == 200,
            "file token": line.status(f"{paper}?token={self.file_token}") == 200,
            "API key": line.status(note, authorization=self.key) == 200,
            "key's file token": line.status(f"{paper}?token={self.key_file_token}") == 200,
        }


def hand_out(place: Place, name: str, lines: list[Line], listening: list[Line]) -> Credentials:
    """Everything for a new member of the staff, and proof that it works everywhere."""
    email, server = f"{name}@example.com", place.server
    secret = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    made = place.club.expect(200, "POST", f"{MEMBERS}/records", {"email": email, "role": "staff", **secret})
    server.sign_in(name, "members", email)
    token = server.tokens[name]
    file_token = place.club.expect(200, "POST", "/api/files/token", caller=name)["token"]
    form = {"name": "a program", "scopes": ["notes:read", "news:read"]}
    server.tokens[f"{name}'s key"] = key = place.club.expect(200, "POST", "/api/api-keys", form, name)["key"]
    key_file_token = place.club.expect(200, "POST", "/api/files/token", caller=f"{name}'s key")["token"]
    cookie = sign_in_by_page(server, email)
    shown = {
        "token": {"Authorization": token},
        "session": {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"},
        "API key": {"Authorization": key},
    }
    ears = {kind: [Ears(listening.pop()) for _ in lines] for kind in shown}
    for kind, headers in shown.items():
        for each in ears[kind]:
            each.listen(**headers)
    given = Credentials(place, lines, made["id"], email, token, cookie, file_token, key, key_file_token, ears)
    assert [given.alive(line) for line in lines] == [dict.fromkeys(CREDENTIALS, True)] * 2
    return given


def sign_in_by_page(server: Server, email: str) -> str:
    """The cookie of a session."""
    page = httpx.get(f"{server.url}/login", headers=OWN_PAGE, timeout=30)
    form = Sheet(page.text).forms[0]
    typed = {**form["fields"], "identity": email, "password": PASSWORD}
    answer = httpx.post(server.url + form["action"], data=typed, headers=OWN_PAGE, timeout=30)
    assert answer.status_code == 303, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def change_password(given: Credentials) -> None:
    body = {"oldPassword": PASSWORD, "password": NEW, "passwordConfirm": NEW}
    given.place.club.expect(200, "PATCH", f"{MEMBERS}/records/{given.id}", body, given.email.partition("@")[0])


def reset_password(given: Credentials) -> None:
    club = given.place.club
    account = type("Somebody", (), {"id": given.id})()
    token = resigned(club.target(account, "passwordReset", email=given.email))
    body = {"token": token, "password": NEW, "passwordConfirm": NEW}
    club.expect(204, "POST", f"{MEMBERS}/confirm-password-reset", body, "guest")


def block(given: Credentials) -> None:
    given.place.club.expect(204, "POST", f"{MEMBERS}/block/{given.id}", {"reason": "left"})


def take_role(given: Credentials) -> None:
    given.place.club.expect(200, "PATCH", f"{MEMBERS}/records/{given.id}", {"role": ""})


def delete(given: Credentials) -> None:
    given.place.club.expect(204, "DELETE", f"{MEMBERS}/records/{given.id}")


def revoke_key(given: Credentials) -> None:
    given.place.club.expect(204, "DELETE", f"/api/api-keys/{given.key.split('_')[1]}")


def own_sessions(given: Credentials) -> dict[str, str]:
    """The ids of the account's sessions by their kinds."""
    items = given.place.club.expect(200, "GET", "/api/sessions", caller=given.email.partition("@")[0])["items"]
    return {each["kind"]: each["id"] for each in items}


def revoke_login(given: Credentials) -> None:
    caller, sessions = given.email.partition("@")[0], own_sessions(given)
    given.place.club.expect(204, "DELETE", f"/api/sessions/{sessions['token']}", caller=caller)


def revoke_cookie(given: Credentials) -> None:
    caller, sessions = given.email.partition("@")[0], own_sessions(given)
    given.place.club.expect(204, "DELETE", f"/api/sessions/{sessions['cookie']}", caller=caller)


ENDS: dict[str, Callable[[Credentials], None]] = {
    "password change": change_password,
    "password reset": reset_password,
    "block": block,
    "role change": take_role,
    "deletion": delete,
    "key revoked": revoke_key,
    "token's session revoked": revoke_login,
    "cookie's session revoked": revoke_cookie,
}
ALONE = {
    "key revoked": ("API key", "key's file token"),
    "token's session revoked": ("token", "file token"),
    "cookie's session revoked": ("session",),
}
"""What ends by an event that leaves the rest as it is; else all does."""


def watch(given: Credentials, event: str, began: float) -> dict[str, float]:
    """Seconds until each credential that must end was dead in all processes."""
    dead: dict[str, float] = {}
    deadline, ending = began + PATIENCE, ALONE.get(event, CREDENTIALS)
    while len(dead) < len(ending):
        assert time.monotonic() < deadline, f"still alive: {[given.alive(line) for line in given.lines]}"
        alive = [given.alive(line) for line in given.lines]
        for name in alive[0]:
            if not any(each[name] for each in alive):
                dead.setdefault(name, time.monotonic() - began)
    assert set(dead) == set(ending)
    return dead


def watch_ears(given: Credentials, event: str, began: float) -> float:
    """Seconds until live updates were closed; of who only lost a role, until the next news, with nothing of the notes."""
    everybody = [each for ears in given.ears.values() for each in ears]
    if event != "role change":
        ending = [each for kind in ALONE.get(event, CREDENTIALS) for each in given.ears.get(kind, ())]
        wait_until(lambda: all(each.is_over for each in ending), "live updates are closed")
        took = time.monotonic() - began
        assert not any(each.is_over for each in everybody if each not in ending)
        return took
    club = given.place.club
    club.expect(200, "PATCH", f"{NOTES}/records/{given.place.note}", {"text": f"secret {given.id}"})
    club.expect(200, "POST", "/api/collections/news/records", {"text": f"news {given.id}"})
    wait_until(lambda: all(any(f"news {given.id}" in text for text in each.heard) for each in everybody), "news come")
    assert not any(f"secret {given.id}" in text for each in everybody for text in each.heard)
    return time.monotonic() - began


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def lines_to(ports: Sequence[int]) -> Iterator[list[Line]]:
    """A line to each server."""
    lines = [Line(port) for port in ports]
    try:
        yield lines
    finally:
        for line in lines:
            line.close()


@pytest.fixture(params=["two workers", "two nodes"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Two processes that answer, and a line to each."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "login.html").write_text(LOGIN_PAGE)
    with contextlib.ExitStack() as stack:
        ports = [free_port()]
        if request.param == "two workers":
            assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=tmp_path).returncode == 0
            process = stack.enter_context(serving(ports[0], "--workers", "2", "--dir", "data", folder=tmp_path))
            database = ""
            to_each = partial(line_to_each, process.pid, ports[0])
        else:
            for name, value in (environment() | KEYS).items():
                monkeypatch.setenv(name, value)
            database = request.getfixturevalue("postgres").database(request.getfixturevalue("postgres_furnished"))
            at = ("--database", database, "--files", request.getfixturevalue("s3").url())
            assert run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", *at[:2], folder=tmp_path).returncode == 0
            ports.append(free_port())
            for number, port in enumerate(ports):
                stack.enter_context(serving(port, "--dir", f"data{number}", *at, folder=tmp_path))
            to_each = partial(lines_to, ports)
        server = Server(f"http://127.0.0.1:{ports[0]}")
        server.sign_in("root", "_superusers", ROOT)
        made = Place(Club(server, tmp_path / "data", database), to_each)
        made.furnish()
        yield made


def test_what_ends_credentials(place: Place):
    """What ends all: tokens, sessions, tokens for files, API keys and live updates; and what ends one of them alone."""
    for number, (event, end) in enumerate(ENDS.items()):
        with place.to_each() as lines, contextlib.ExitStack() as stack:
            listening = [line for _ in range(3) for line in stack.enter_context(place.to_each())]
            given = hand_out(place, f"member{number}", lines, listening)
            began = time.monotonic()
            end(given)
            took = watch(given, event, began)
            took["live updates"] = watch_ears(given, event, began)
        print(f"{event}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))  # noqa: T201
