"""Letters of a real server that is killed without warning, before they are sent and while they are."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import httpx
import pytest
from mail_server import ThreadedMailServer
from network import free_port
from program import children, run, serving

pytestmark = pytest.mark.slow
ROOT, PASSWORD = "root@example.com", "correct-horse-9"


@pytest.fixture
def site(tmp_path, database):
    """A data directory with a superuser; what a server of it is started with."""
    where = ["--dir", "data", *(["--database", database] if database else [])]
    made = run("superuser", "upsert", ROOT, PASSWORD, *where, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    return Site(tmp_path, where)


class Site:
    """Where the data are, and the server on them."""

    def __init__(self, folder, where):
        self.folder, self.where, self.port = folder, where, free_port()

    @contextlib.contextmanager
    def served(self, *more):
        with serving(self.port, *self.where, *more, folder=self.folder) as process:
            yield process

    def call(self, method, path, body, token=""):
        headers = {"Authorization": token} if token else {}
        answer = httpx.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code in {200, 204}, answer.text
        return answer.json() if answer.content else None

    def furnish(self, mail_port, accounts):
        """Let letters go to a mail server, and make accounts."""
        login = {"identity": ROOT, "password": PASSWORD}
        token = self.call("POST", "/api/collections/_superusers/auth-with-password", login)["token"]
        smtp = {"enabled": True, "host": "127.0.0.1", "port": mail_port, "tls": False}
        self.call("PATCH", "/api/settings", {"smtp": smtp}, token)
        for number in range(accounts):
            body = {"email": address(number), "password": PASSWORD, "passwordConfirm": PASSWORD}
            self.call("POST", "/api/collections/users/records", body, token)

    def ask(self, number):
        self.call("POST", "/api/collections/users/request-verification", {"email": address(number)})

    def listed(self):
        """What the command line shows of the outbox."""
        return run("mail", "list", "--all", *self.where, folder=self.folder).stdout

    def wait_for(self, text):
        until = time.monotonic() + 30
        while text not in (shown := self.listed()):
            assert time.monotonic() < until, shown
        return shown


def address(number):
    return f"member{number}@example.com"


def test_killed_before_it_is_sent(site):
    """A letter that waited when the server was killed is sent, once, after it is back."""
    mail_port = free_port()
    with site.served() as process:
        site.furnish(mail_port, 1)
        site.ask(0)
        site.wait_for("cannot be used")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    with ThreadedMailServer(mail_port) as mail, site.served():
        (caught,) = mail.wait(1, 90)
        site.wait_for("none was given up")
        assert caught.recipients == [address(0)]
        assert len(mail.catcher.letters) == 1


@pytest.mark.sqlite_only("a lone process knows at its start that nobody else sends; elsewhere a claim must end first")
def test_killed_while_it_is_sent(site):
    """A letter that was on its way when the server was killed comes at most twice, as one message."""
    with ThreadedMailServer() as mail:
        with site.served() as process:
            site.furnish(mail.catcher.port, 1)
            mail.catcher.get_stuck()
            site.ask(0)
            until = time.monotonic() + 30
            while not mail.catcher.at_once and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        mail.call(mail.catcher.go_on)

        with site.served():
            site.wait_for("none was given up")
            time.sleep(1)

        assert 1 <= len(mail.catcher.letters) <= 2
        assert len({letter.message["Message-ID"] for letter in mail.catcher.letters}) == 1


def test_workers_send_each_letter_once(site):
    """Three workers send thirty letters, each once, though one of them is ended meanwhile."""
    with ThreadedMailServer() as mail, site.served("--workers", "3") as process:
        site.furnish(mail.catcher.port, 30)
        for number in range(30):
            site.ask(number)
            if number == 15:
                os.kill(children(process.pid)[0], signal.SIGTERM)
        mail.wait(30)
        site.wait_for("none was given up")

        assert sorted(letter.recipients[0] for letter in mail.catcher.letters) == sorted(map(address, range(30)))
