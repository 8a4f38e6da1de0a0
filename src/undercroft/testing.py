"""A client for tests: the whole backend in this process, no sockets, no mocks.

async with undercroft.testing.client() as client:
    token = await client.superuser()
    answer = await client.get("/api/collections/posts/records", filter='title ~ "va"', as_=token)
    assert answer.status == 200
    assert answer.json["totalItems"] == 0
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from undercroft.app import App
from undercroft.auth.superusers import upsert_superuser
from undercroft.backend import Backend
from undercroft.config import load_config
from undercroft.http.request import Message
from undercroft.ids import random_text
from undercroft.keys.options import RootOptions
from undercroft.mail.carrier import Posted
from undercroft.pages.options import SiteOptions

SUPERUSER: Final = ("root@example.com", "correct-horse-9")
_NOTHING: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class File:
    """A file to send with a form."""

    name: str
    content: bytes
    type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Error:
    """What an answer says went wrong. `code` names the situation and never changes."""

    code: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    code: str = ""

    @property
    def text(self) -> str:
        return self.body.decode()

    @cached_property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> Error:
        """The problem in the body. Raises `AssertionError` when all went well."""
        if self.status < 400:
            raise AssertionError(f"{self.status} is no error: {self.text[:500]}")
        return Error(self.code, self.json["message"], self.json["data"])


class Letterbox:
    """Where the letters of an app under test arrive."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self._arrived = asyncio.Event()

    async def carry(self, posted: Posted) -> str:
        """Keep a letter."""
        text = posted.content.replace("\r\n", "\n")
        self.letters.append(message_from_string(text, EmailMessage, policy=default))
        self._arrived.set()
        return "kept"

    async def wait(self, to: str, seconds: float) -> EmailMessage:
        """The newest letter to an address, once there is one. Raises `AssertionError` when none comes."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := [letter for letter in self.letters if to in str(letter["To"])]):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"No letter to {to} came within {seconds:g} seconds.") from None
        return found[-1]


@dataclass(frozen=True, slots=True)
class Event:
    """What a listener was told. `id` is the client's, or with `since` the position in the change log."""

    id: str
    name: str
    data: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.data)


class Listener:
    """A connection that hears what happens; `TestClient.listen` opens it.

    `is_over` says that the server ended it.
    """

    def __init__(self, client: TestClient) -> None:
        self.client_id = ""
        self.headers: Mapping[str, str] = {}
        self.is_over = False
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._client = client
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._left = asyncio.Event()
        self._text = ""
        self._id = ""

    async def subscribe(self, *topics: str, as_: str = "") -> None:
        """Hear of these topics from now on, and of no others."""
        wish = {"clientId": self.client_id, "subscriptions": list(topics)}
        answer = await self._client.post("/api/realtime", wish, as_=as_)
        if answer.status != 204:
            raise AssertionError(answer.text)

    async def event(self, seconds: float = 10.0) -> Event:
        """The next event. Raises `TimeoutError` when none comes in that time."""
        async with asyncio.timeout(seconds):
            return await self._events.get()

    async def events(self, quiet: float = 0.3) -> list[Event]:
        """All that come until it is quiet for that many seconds, in which the event loop had its turns."""
        found, left = list[Event](), quiet
        while left > 0:
            await asyncio.sleep(0.01)
            left = left - 0.01 if self._events.empty() else quiet
            while not self._events.empty():
                found.append(self._events.get_nowait())
        return found

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()
        self.is_reading.set()

    async def receive(self) -> Message:
        """What the app hears of us."""
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the app tells us; it waits while `is_reading` is not set."""
        await self.is_reading.wait()
        if "headers" in message:
            self.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        self.is_over = message["type"] == "http.response.body" and not message.get("more_body", False)
        *blocks, self._text = (self._text + message.get("body", b"").decode()).split("\n\n")
        for block in blocks:
            self._take(dict(line.partition(":")[::2] for line in block.split("\n")))

    def _take(self, told: Mapping[str, str]) -> None:
        self._id = told.get("id", self._id)
        if "data" in told:
            self._events.put_nowait(Event(self._id, told.get("event", "message"), told["data"]))


class TestClient:
    """Sends requests to an app."""

    __test__ = False  # pytest would take it for tests

    def __init__(self, app: App, letterbox: Letterbox | None = None) -> None:
        self.app = app
        self._letterbox = letterbox or Letterbox()

    @property
    def backend(self) -> Backend:
        """The open resources, to look behind the API."""
        return self.app.backend

    async def get(self, path: str, **options: Any) -> Answer:
        """GET; see `request`."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = _NOTHING, **options: Any) -> Answer:
        """POST; see `request`."""
        return await self.request("POST", path, json, **options)

    async def patch(self, path: str, json: Any = _NOTHING, **options: Any) -> Answer:
        """PATCH; see `request`."""
        return await self.request("PATCH", path, json, **options)

    async def put(self, path: str, json: Any = _NOTHING, **options: Any) -> Answer:
        """PUT; see `request`."""
        return await self.request("PUT", path, json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """DELETE; see `request`."""
        return await self.request("DELETE", path, **options)

    async def request(  # noqa: PLR0917 - a request has that many parts
        self,
        method: str,
        path: str,
        json: Any = _NOTHING,
        form: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        as_: str = "",
        **query: Any,
    ) -> Answer:
        """Send one request as the owner of a token, or as a guest; other options are query parameters.

        The body is a JSON value, a form (of texts, lists and `File`s), or bytes as they are.
        """
        kind, content = _encode_body(json, form, body)
        sent = {"host": "testserver", "content-length": str(len(content))} if content else {"host": "testserver"}
        sent |= {"content-type": kind} if kind else {}
        sent |= {"authorization": as_} if as_ else {}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        path, _, told = path.partition("?")
        asked = "&".join(part for part in (told, urlencode(query, doseq=True)) if part)
        return await _call(self.app, _make_scope(method, path, asked, sent), content)

    @property
    def letters(self) -> Sequence[EmailMessage]:
        """The letters that were sent; they go nowhere."""
        return self._letterbox.letters

    async def letter(self, to: str, seconds: float = 10.0) -> EmailMessage:
        """The newest letter to an address, which may still be on its way. Raises `AssertionError` when none comes."""
        return await self._letterbox.wait(to, seconds)

    @asynccontextmanager
    async def listen(
        self, *topics: str, as_: str = "", since: str | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listener]:
        """A connection that hears of these topics, as the owner of a token or as a guest.

        With `since` it keeps its place in the change log: a position, or empty for "from now on".
        """
        query = "" if since is None else urlencode({"since": since})
        sent = {"host": "testserver"} | {name.lower(): value for name, value in (headers or {}).items()}
        listener = Listener(self)
        scope = _make_scope("GET", "/api/realtime", query, sent)
        serving = asyncio.create_task(self.app(scope, listener.receive, listener.send))
        try:
            listener.client_id = (await listener.event()).json["clientId"]
            if topics:
                await listener.subscribe(*topics, as_=as_)
            yield listener
        finally:
            listener.leave()
            await serving

    async def superuser(self) -> str:
        """A superuser's token."""
        await upsert_superuser(self.backend, *SUPERUSER)
        return await self.login("_superusers", *SUPERUSER)

    async def login(self, collection: str, identity: str, password: str) -> str:
        """The token of an account."""
        form = {"identity": identity, "password": password}
        answer = await self.post(f"/api/collections/{collection}/auth-with-password", form)
        if answer.status != 200:
            raise AssertionError(f"{identity} cannot log in: {answer.text}")
        token: str = answer.json["token"]
        return token


@asynccontextmanager
async def client(
    directory: Path | str | None = None,
    database: str = "",
    files: str = "",
    site: SiteOptions | Path | str | None = None,
    *,
    hooks: Path | str | None = None,
    sends_mail: bool = False,
    outgoing_networks: Sequence[str] = (),
    rate_limits: bool = False,
    root: RootOptions | None = None,
    breached_passwords: Path | str = "",
) -> AsyncIterator[TestClient]:
    """A client of a backend on a data directory, or on a new one that is gone afterwards.

    `database` is the URL of a PostgreSQL database, in place of SQLite in the directory;
    `files` that of a bucket, in place of a folder in it. `site` is the folder of a site,
    or where its pages and static files are. Letters are kept in `letters`, unless it
    really `sends_mail`, as the settings say. `hooks` is the folder of its hooks, that of
    the site if it has one. `outgoing_networks` are private ones that providers of OAuth2 may be in.
    `rate_limits` of the settings count only if asked for, `root` says where the root key is, if not in the directory.
    `breached_passwords` is a file of passwords that nobody may set.
    """
    if isinstance(site, Path | str):
        hooks = Path(site) / "hooks" if hooks is None else hooks
        site = SiteOptions.of(load_config(Path(site), {}, {}))
    with TemporaryDirectory(prefix="undercroft-") as temporary:
        letterbox = Letterbox()
        mail = None if sends_mail else letterbox
        app = App(
            directory or temporary,
            database=database,
            files=files,
            site=site,
            mail=mail,
            hooks=hooks,
            outgoing_networks=outgoing_networks,
            rate_limits=rate_limits,
            root=root,
            breached_passwords=str(breached_passwords),
        )
        await app.start()
        try:
            yield TestClient(app, letterbox)
        finally:
            await app.stop()


def _encode_body(json: Any, form: Mapping[str, Any] | None, body: bytes | None) -> tuple[str, bytes]:
    if form is not None:
        parts = [(name, value) for name, values in form.items() for value in _listed(values)]
        if any(isinstance(value, File) for _, value in parts):
            return _encode_multipart(parts)
        return "application/x-www-form-urlencoded", urlencode(parts).encode()
    if json is not _NOTHING:
        return "application/json", msgspec.json.encode(json)
    return "", body or b""


def _encode_multipart(parts: Sequence[tuple[str, Any]]) -> tuple[str, bytes]:
    boundary = random_text(24)
    content = b""
    for name, value in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, File):
            head += f'; filename="{value.name}"\r\nContent-Type: {value.type}'
        data = value.content if isinstance(value, File) else str(value).encode()
        content += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", content + f"--{boundary}--\r\n".encode()


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _make_scope(method: str, path: str, query: str, headers: Mapping[str, str]) -> Message:
    raw = path if "%" in path else quote(path)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": raw.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
    }


async def _call(app: App, scope: Message, content: bytes) -> Answer:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *rest = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in rest)
    return Answer(start["status"], headers, body, scope.get("undercroft.error", ""))
