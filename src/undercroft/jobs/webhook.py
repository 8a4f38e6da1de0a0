"""Webhooks: other servers are told of changes to records, by signed requests.

    @webhook("https://shop.example.com/in", "orders", secret=os.environ["SHOP_SECRET"])
    def order_changed(event): return {"id": event.record["id"]}

What is to be told is put in as a job by the transaction that changes the record, and so is
told if that is durable, and never otherwise. Headers and signature are those of Standard Webhooks.
"""

from __future__ import annotations

import inspect
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from typing import Any, Final, Protocol

import msgspec

from undercroft.dates import now
from undercroft.errors import Problem
from undercroft.hooks.hook import Hook
from undercroft.hooks.moment import Declarations
from undercroft.http.outgoing import OutgoingRefused, Reply
from undercroft.jobs.job import BadJob, Job
from undercroft.jobs.worker import GiveUp

ACTIONS: Final = ("create", "update", "delete")
TRIES: Final = 10
SHORTEST_SECRET: Final = 24  # bytes, as Standard Webhooks demands
_PREFIX: Final = "whsec_"
_GONE: Final = 410
_GOOD: Final = range(200, 300)


class Caller(Protocol):
    """One try of a job that calls other servers."""

    @property
    def id(self) -> str: ...

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[str] = ()) -> Reply:
        """Send a body. Raises `OutgoingRefused` and `OutgoingFailed`."""
        ...


class WebhookRefused(Problem):
    """The other server did not take it."""

    code = "webhook_refused"

    def __init__(self, number: int) -> None:
        super().__init__(f"It was answered {number}; only 200 to 299 is taken for success.")


def sign(secret: bytes, message_id: str, moment: int, body: bytes) -> str:
    """The signature of a message: `v1,` and HMAC-SHA256 in base64."""
    signed = f"{message_id}.{moment}.".encode() + body
    return "v1," + b64encode(digest(secret, signed, sha256)).decode()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to tell, and what with. `networks` are private ones that it may lead to."""

    url: str
    secret: bytes
    networks: Sequence[str] = ()

    async def deliver(self, run: Caller, message: str) -> None:
        """Tell it once. Raises `GiveUp`, `WebhookRefused` and `OutgoingFailed`."""
        body, moment = message.encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Undercroft",
            "webhook-id": run.id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(self.secret, run.id, moment, body),
        }
        try:
            reply = await run.post(self.url, body, headers, self.networks)
        except OutgoingRefused as problem:
            raise GiveUp(problem.message()) from problem
        if reply.number == _GONE:
            raise GiveUp("It was answered 410: the other server wants no more of them.")
        if reply.number not in _GOOD:
            raise WebhookRefused(reply.number)


class WebhookDecorator:
    """Makes a function say what another server is told of a change."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def __call__(
        self,
        url: str,
        *collections: str,
        secret: str,
        actions: Sequence[str] = ACTIONS,
        networks: Sequence[str] = (),
        name: str = "",
    ) -> Callable[[Callable[[Any], Any]], Job]:
        """Tell a URL of changes to these collections. The function gets the event, and gives the data, or None.

        `secret` is `whsec_` and base64. Raises `BadJob`.
        """
        if not collections or not set(actions) <= set(ACTIONS):
            raise BadJob(f"A webhook is for named collections, and for {', '.join(ACTIONS)}.")
        hook = Webhook(url, read_secret(secret), networks)

        def declare(function: Callable[[Any], Any]) -> Job:
            made = Job(name or function.__name__, hook.deliver, TRIES, 30.0)
            self._declarations.declare(function, made)
            for action in actions:
                tell = _teller(made, function, action)
                self._declarations.declare(function, Hook(f"record_{action}", tell, collections))
            return made

        return declare


def read_secret(text: str) -> bytes:
    """The bytes of a secret. Raises `BadJob`."""
    try:
        secret = b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except NotBase64:
        secret = b""
    if len(secret) < SHORTEST_SECRET:
        raise BadJob(f"The secret of a webhook is whsec_ and {SHORTEST_SECRET} bytes or more in base64.")
    return secret


def _teller(job: Job, function: Callable[[Any], Any], action: str) -> Callable[[Any], Any]:
    async def tell(event: Any) -> None:
        if action == "delete":
            data = await _data_of(function, event)
            await event.next()
        else:
            await event.next()
            data = await _data_of(function, event)
        if data is not None:
            told = {"type": f"{event.collection.name}.{action}", "timestamp": now(), "data": data}
            await event.enqueue(job, message=msgspec.json.encode(told).decode())

    return tell


async def _data_of(function: Callable[[Any], Any], event: Any) -> Any:
    data = function(event)
    return await data if inspect.isawaitable(data) else data
