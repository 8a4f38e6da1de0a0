"""Live updates in one process: its clients, what tells them, and what looks after them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import Final

from undercroft.collections.catalog import Catalog, CatalogHolder
from undercroft.database.engine import Engine
from undercroft.errors import BadRequest, Forbidden, NotFound
from undercroft.query.plan import Plans
from undercroft.query.scope import Identity
from undercroft.realtime.broadcast import Broadcaster
from undercroft.realtime.broker import Broker, key_of
from undercroft.realtime.client import Client
from undercroft.realtime.judge import Judge
from undercroft.realtime.replay import Replayer
from undercroft.realtime.topics import parse_topic

KIND: Final = "record"
LINGER_SECONDS: Final = 900.0
"""How long writes still keep what returning clients need, once nobody listens any more."""
_LOOK_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 2.0


class UnknownClient(NotFound):
    """No connection that listens has that id."""

    code = "unknown_client"
    default = "Missing or invalid client id."


class WrongAddress(BadRequest):
    """The connection was opened from another address."""

    code = "wrong_address"
    default = "Invalid realtime client."


class WrongAccount(Forbidden):
    """The connection listens as another account."""

    code = "wrong_account"
    default = "The current and the previous request authorization don't match."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to hear: texts of topics. `address` is where the wish comes from, `expires` when its
    token does (seconds since 1970, 0 for never).
    """

    topics: Sequence[str]
    identity: Identity | None
    address: str
    expires: float = 0.0


class Live:
    """The live updates of a process."""

    def __init__(self, engine: Engine, plans: Plans, catalogs: CatalogHolder) -> None:
        self.broker = Broker()
        self.broadcaster = Broadcaster(self.broker, engine, Judge(engine, plans), self._catch_up)
        self._engine = engine
        self._catalogs = catalogs
        self._refresh: Callable[[], Awaitable[None]] | None = None
        self._replayer = Replayer(self.broadcaster)
        self._silent_since = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Follow the change log, and look after the clients; `refresh` sees that the catalog is as in the database."""
        self._refresh = refresh
        self._tasks = [asyncio.create_task(self.broadcaster.run()), asyncio.create_task(self._look_after())]

    async def close(self) -> None:
        """Send every client away, and stop."""
        await self.part()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._replayer.close()

    async def part(self) -> None:
        """Send every client away; they come back to whoever answers then."""
        self.broker.end_all("stopping")
        until = time.monotonic() + _FAREWELL_SECONDS
        while self.broker.clients and time.monotonic() < until:  # noqa: ASYNC110 - their own tasks see to it
            await asyncio.sleep(0.01)

    async def connect(self, address: str, since: int | None, *, keeps_place: bool) -> Client:
        """A new client; with `keeps_place` and without `since` its place is where the log is now.

        Raises `TooManyListeners`.
        """
        client = self.broker.open(address, since, keeps_place=keeps_place)
        if keeps_place and since is None:
            await self.hear()
            client.position = self.broadcaster.position
        client.greet(retry=500 + randbelow(1000) if keeps_place else 0)
        if self.broker.is_closed:
            client.end("stopping")
        return client

    async def subscribe(self, client_id: str, wish: Wish) -> None:
        """Have a client hear of these topics only. Raises `UnknownClient`, `WrongAddress` and `WrongAccount`."""
        client = self.broker.clients.get(client_id)
        if client is None or client.ending:
            raise UnknownClient
        if client.address != wish.address:
            raise WrongAddress
        if client.account is not None and not _is_same(client.account.identity, wish.identity):
            raise WrongAccount
        await self.hear()
        account = self.broker.bind(client, wish.identity)
        client.expires = wish.expires
        self.broker.place(client, {text: parse_topic(text) for text in wish.topics}, account)
        # Who asks may have changed since the request was read; from now on the log tells.
        if account is not None:
            catalog = await self.broadcaster.catch_up()
            if not await account.renew(self._engine, catalog.find(account.key[0])):
                client.end("signed out")
        self._begin(client)

    def _begin(self, client: Client) -> None:
        if client.is_live or not client.groups or client.ending:
            return
        if client.position is not None:
            self._replayer.start(client)
        else:
            client.position = self.broadcaster.claimed
            client.is_live = True

    async def hear(self) -> None:
        """Follow from now on, and have writes tell of records."""
        self._silent_since = 0.0
        self._engine.listeners[KIND] = self.broadcaster.wake
        await self.broadcaster.begin()

    async def _catch_up(self) -> Catalog:
        if self._refresh is not None:
            await self._refresh()
        return self._catalogs.current

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            moment = time.time()
            for client in tuple(self.broker.clients.values()):
                if client.expires and client.expires <= moment:
                    client.end("expired")
            if self.broadcaster.position is not None:
                self._rest_if_alone()

    def _rest_if_alone(self) -> None:
        """When nobody listens any more: follow no more, and after a while let writes be silent."""
        if self.broker.clients:
            self._silent_since = 0.0
            return
        moment = time.monotonic()
        self._silent_since = self._silent_since or moment
        if moment - self._silent_since > LINGER_SECONDS:
            self.broadcaster.rest()
            self._engine.listeners.pop(KIND, None)


def _is_same(bound: Identity, asking: Identity | None) -> bool:
    return asking is not None and key_of(bound)[:2] == key_of(asking)[:2]
