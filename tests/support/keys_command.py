"""`undercroft keys` as tests call it, on a database with a server and without one."""

import asyncio
import json
import time

import httpx
from click.testing import CliRunner
from network import free_port
from program import serving

from undercroft.cli.exits import exit_code
from undercroft.cli.main import cli
from undercroft.collections.seals import cell_name
from undercroft.database.opening import open_engine
from undercroft.errors import Problem

EMAIL, PASSWORD = "root@example.com", "open-sesame-42"
FIELD = "email0123456789"
CELL = cell_name(FIELD)
BRIEFS = {
    "name": "briefs",
    "type": "base",
    "fields": [{"id": FIELD, "name": "email", "type": "email", "encrypted": {"search": "equality"}}],
    **{f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")},
}


class Keys:
    """The command on one database, in this process; `environment` is what all commands are given."""

    def __init__(self, folder, database):
        self.folder = folder
        self.database = database
        self.place = ["--dir", str(folder / "data"), *(["--database", database] if database else [])]
        self.environment = {}
        self.port = free_port()

    def run(self, *arguments, code=0, typed="", **environment):
        """What it prints."""
        told = {**self.environment, **environment}
        done = CliRunner().invoke(cli, ["keys", *arguments, *self.place], input=typed, env=told)
        problem = done.exception if isinstance(done.exception, Problem) else None
        output = done.output + (problem.message() if problem else "")
        assert (exit_code(problem) if problem else done.exit_code) == code, output
        return output

    def list(self, *arguments):
        return json.loads(self.run("list", "--json", *arguments))

    def ids(self, purpose="system", of="-"):
        """The ids of the keys of a purpose, the one that seals first."""
        found = [key for key in self.list("--all")["keys"] if (key["purpose"], key["of"]) == (purpose, of)]
        return [key["id"] for key in sorted(found, key=lambda key: not key["primary"])]

    def events(self):
        return [entry["event"] for entry in json.loads(self.run("audit", "--json"))]

    def superuser(self):
        done = CliRunner().invoke(cli, ["superuser", "upsert", EMAIL, PASSWORD, *self.place])
        assert done.exit_code == 0, done.output

    def serving(self, *arguments):
        return serving(self.port, *self.place, *arguments, folder=self.folder)

    def call(self, method, path, body=None, token=""):
        headers = {"Authorization": token} if token else {}
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=30)

    def sign_in(self):
        """A token of the superuser."""
        body = {"identity": EMAIL, "password": PASSWORD}
        return self.call("POST", "/api/collections/_superusers/auth-with-password", body).json()["token"]

    def make_briefs(self):
        """A collection with an encrypted field, and a record in it."""
        assert self.call("POST", "/api/collections", BRIEFS, self.sign_in()).status_code == 200
        assert self.call("POST", "/api/collections/briefs/records", {"email": "a@example.com"}).status_code == 200

    def cell(self, new=None):
        """The bytes of the address of the record, beside any server; `new` takes their place."""

        async def look():
            engine = await open_engine(self.folder / "data", self.database)
            try:
                if new is not None:
                    sql = f'UPDATE "briefs" SET "{CELL}" = {engine.dialect.placeholder(1, "bytes")}'
                    await engine.write(lambda tx: tx.run(sql, (new,)))
                ((cell,),) = await engine.read(f'SELECT "{CELL}" FROM "briefs"')
                return cell
            finally:
                await engine.close()

        return asyncio.run(look())

    def read(self):
        """The address of the record that was made, or the status."""
        answer = self.call("GET", "/api/collections/briefs/records")
        return answer.json()["items"][0]["email"] if answer.status_code == 200 else answer.status_code


def until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
