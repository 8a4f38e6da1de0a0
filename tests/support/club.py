"""A club: a running server with an auth collection whose accounts log in, change and end."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import httpx
from forgery import Target
from postgres import in_thread
from servers import PASSWORD, Server

from undercroft.app import root_of_environment
from undercroft.collections.collection import Collection
from undercroft.collections.store import load_catalog
from undercroft.database.opening import open_engine
from undercroft.http.calling import post
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import choose_root
from undercroft.records.record import find_record

MEMBERS = "/api/collections/members"
RULES = {
    "listRule": "",
    "viewRule": "",
    "createRule": "",
    "updateRule": "id = @request.auth.id",
    "deleteRule": "id = @request.auth.id",
    "authRule": "rank != 'banned'",
}
NICK = "CREATE UNIQUE INDEX one_nick ON members (nick COLLATE NOCASE) WHERE nick != ''"
KINDS = {
    "auth": "auth_token",
    "file": "file_token",
    "verification": "verification_token",
    "passwordReset": "password_reset_token",
    "emailChange": "email_change_token",
}


@dataclass(frozen=True)
class Account:
    """Somebody in the club."""

    id: str
    email: str
    nick: str
    password: str = PASSWORD


@dataclass
class Club:
    """The server, its data directory, its PostgreSQL database if that is what it has, and ever new members."""

    server: Server
    data: Path
    database: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def furnish(self) -> None:
        """Make the collections of the club."""
        text = [{"name": "nick", "type": "text"}, {"name": "rank", "type": "text"}]
        options = {"passwordAuth": {"enabled": True, "identityFields": ["email", "nick"]}}
        members = {"name": "members", "type": "auth", "fields": text, "indexes": [NICK], **RULES, **options}
        self.expect(200, "POST", "/api/collections", members)
        books = {
            "name": "books",
            "type": "base",
            "listRule": "",
            "viewRule": "",
            "createRule": "@request.auth.id != ''",
        }
        self.expect(200, "POST", "/api/collections", books)

    def expect(self, status: int, method: str, path: str, body: Any = None, caller: str = "root") -> Any:
        """The JSON of an answer that must have this status."""
        answer = self.server.call(method, path, body, caller)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def join(self, **values: Any) -> Account:
        """A new member."""
        number = next(self._numbers)
        new = Account(f"member{number:09d}", f"member{number}@example.com", f"Nick{number}")
        body = {"id": new.id, "email": new.email, "nick": new.nick, "verified": True}
        secret = {"password": new.password, "passwordConfirm": new.password}
        self.expect(200, "POST", f"{MEMBERS}/records", body | secret | values)
        return new

    def try_login(self, identity: Any, password: Any, **more: Any) -> httpx.Response:
        """The answer to a login."""
        body = {"identity": identity, "password": password, **more}
        return self.server.call("POST", f"{MEMBERS}/auth-with-password", body, "guest")

    def log_in(self, account: Account) -> str:
        """A token for a member."""
        answer = self.try_login(account.email, account.password)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["token"]
        return token

    def refresh(self, token: str, collection: str = "members") -> httpx.Response:
        """The answer to a token: 200 when the server believes it."""
        headers = {"Authorization": token} if token else {}
        return self.server.call("POST", f"/api/collections/{collection}/auth-refresh", caller="guest", headers=headers)

    def impersonate(self, account: Account, duration: int = 0) -> str:
        """A token for a member that cannot be renewed."""
        answer = self.expect(200, "POST", f"{MEMBERS}/impersonate/{account.id}", {"duration": duration})
        token: str = answer["token"]
        return token

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement on the server's database, as another process does; its rows."""
        if self.database:
            return in_thread(_run_on_postgresql(self.database, statement, values))
        connection = apsw.Connection(str(self.data / "data.db"))
        connection.set_busy_timeout(5000)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def column(self, account: Account, name: str) -> str:
        """A stored value of a member, hidden ones included, and encrypted ones as they are stored; true is 1."""
        [[fields, options]] = self.sql("SELECT fields, options FROM _collections WHERE name = 'members'")
        field_id = next(field["id"] for field in json.loads(fields) if field["name"] == name)
        stored = f"{field_id}~sealed" if field_id in json.loads(options).get("seals", {}) else name
        [[value]] = self.sql(f'SELECT "{stored}" FROM members WHERE id = $1', account.id)
        return str(int(value) if isinstance(value, bool) else value)

    def target(self, account: Account, kind: str = "auth", collection: str = "members", **claims: Any) -> Target:
        """What a forger would love to have: the key and the claims of a member's token of a kind."""
        home, key = in_thread(_load_secrets(self, account, collection))
        secret = getattr(home.auth, KINDS[kind]).secret
        says = {"collectionId": home.id, "exp": int(time.time()) + 600, "id": account.id, "type": kind}
        return Target("", says | claims, key, secret)


async def _load_secrets(club: Club, account: Account, collection: str) -> tuple[Collection, str]:
    """A collection with its secrets, and the key in the tokens of a member, as whoever has the root key sees them."""
    engine = await open_engine(club.data, club.database)
    try:
        root = choose_root(root_of_environment(), club.data, post)
        keyring = await open_keyring(engine, root, await unlock_root(engine, root))
        catalog = await load_catalog(engine, keyring)
        members = catalog.collection("members")
        record = await find_record(engine.read, engine.dialect, members, {"id": account.id})
        return catalog.collection(collection), record["tokenKey"] if record else ""
    finally:
        await engine.close()


async def _run_on_postgresql(url: str, statement: str, values: Sequence[Any]) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()
