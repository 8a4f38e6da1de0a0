"""A backend with accounts and a mail server: who asks for a letter gets it, and what is in it can be used."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mail_server import Caught, MailServer, mail_server

from undercroft.testing import Answer, TestClient

USERS = "/api/collections/users"
PASSWORD = "correct-horse-9"
NEW = {"password": "better-horse-10", "passwordConfirm": "better-horse-10"}


@dataclass
class PostOffice:
    """A client of the backend, its superuser's token, and the mail server."""

    client: TestClient
    root: str
    server: MailServer

    async def join(self, email: str = "ada@example.com", **values: Any) -> str:
        """A new account's id."""
        body = {"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD}
        answer = await self.client.post(f"{USERS}/records", body | values, as_=self.root)
        assert answer.status == 200, answer.text
        return answer.json["id"]

    async def options(self, **options: Any) -> None:
        """Change the options of the accounts' collection."""
        answer = await self.client.patch(USERS, options, as_=self.root)
        assert answer.status == 200, answer.text

    async def ask(self, what: str, as_: str = "", **body: Any) -> Answer:
        """Ask for something; what is done after the answer is done when this returns."""
        answer = await self.client.post(f"{USERS}/{what}", body, as_=as_)
        await self.client.backend.errands.done()
        return answer

    async def letter(self, what: str, as_: str = "", **body: Any) -> Caught:
        """The letter that somebody asks for."""
        count = len(self.server.letters)
        answer = await self.ask(what, as_, **body)
        assert answer.status in {200, 204}, answer.text
        return (await self.server.arrived(count + 1))[-1]

    async def token(self, what: str, as_: str = "", **body: Any) -> str:
        """The token in the letter that somebody asks for."""
        return token_in(await self.letter(what, as_, **body))

    async def code(self, email: str = "ada@example.com") -> dict[str, str]:
        """A code that was asked for, and its id, as one logs in with them."""
        count = len(self.server.letters)
        answer = await self.ask("request-otp", email=email)
        caught = (await self.server.arrived(count + 1))[-1]
        return {"otpId": answer.json["otpId"], "password": re.search(r"\d{8}", caught.body())[0]}

    async def log_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> Answer:
        """The answer to a log-in."""
        body = {"identity": email, "password": password}
        return await self.client.post(f"{USERS}/auth-with-password", body)

    async def knows(self, token: str) -> bool:
        """Whether a token speaks for an account."""
        return (await self.client.post(f"{USERS}/auth-refresh", {}, as_=token)).status == 200

    async def record(self, record_id: str) -> Any:
        """An account as superusers see it."""
        return (await self.client.get(f"{USERS}/records/{record_id}", as_=self.root)).json


@contextlib.asynccontextmanager
async def open_office(client: TestClient) -> AsyncIterator[PostOffice]:
    """A post office on a client's backend, whose accounts log in without being told of it."""
    async with mail_server() as server:
        root = await client.superuser()
        smtp = {"enabled": True, "host": "127.0.0.1", "port": server.port, "tls": False}
        settings = {"smtp": smtp, "meta": {"appURL": "https://app.example.com/"}}
        assert (await client.patch("/api/settings", settings, as_=root)).status == 200
        office = PostOffice(client, root, server)
        await office.options(authAlert={"enabled": False})
        try:
            yield office
        finally:
            await client.app.stop()  # while there is a mail server for what is on its way


def token_in(letter: Caught) -> str:
    """The token of a letter's link."""
    return token_in_text(letter.body())


def token_in_text(text: str) -> str:
    """The token of the link in a text."""
    return re.search(r"/_/#/auth/[\w-]+/(\S+)", text)[1]


async def at_once(count: int, act: Callable[[], Awaitable[Answer]]) -> list[int]:
    """The statuses of so many requests that are on their way together, sorted."""
    return sorted(answer.status for answer in await asyncio.gather(*(act() for _ in range(count))))
