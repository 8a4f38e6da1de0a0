"""Live updates in one process: its clients, what tells them, and what looks after them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import islice
from secrets import randbelow
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from undercroft.auth.accounts import is_let_in
from undercroft.auth.standing import still_stands
from undercroft.collections.catalog import Catalog, CatalogHolder
from undercroft.database.engine import Engine, SqlError
from undercroft.database.wakeup import Wakeup
from undercroft.errors import Problem
from undercroft.query.plan import Plans
from undercroft.query.scope import GUEST, Identity, Scope
from undercroft.realtime.broadcast import Broadcaster
from undercroft.realtime.broker import Broker, Group, key_of
from undercroft.realtime.client import Client
from undercroft.realtime.events import data_as_hooks_say, listening_hooks
from undercroft.realtime.judge import NOT_TOLD, Judge, hearer_of
from undercroft.realtime.neighbours import Asked, Neighbours, Said
from undercroft.realtime.replay import Replayer
from undercroft.realtime.topics import parse_topic
from undercroft.realtime.wishes import (
    FULFILLED,
    UnknownClient,
    Wish,
    WrongAccount,
    WrongAddress,
    problem_of,
    read_back,
    write_down,
)
from undercroft.realtime.written_hearers import SECONDS as HEARER_SECONDS
from undercroft.realtime.written_hearers import Wanted, WrittenHearers
from undercroft.records.access import Access
from undercroft.records.hearers import Hearer, keep_hearers

KIND: Final = "record"
LINGER_SECONDS: Final = 900.0
"""How long writes still keep what returning clients need, once nobody listens any more."""
_LOOK_SECONDS: Final = 1.0
_WRITTEN_AT_ONCE: Final = 500
_SESSION_SECONDS: Final = 15.0
_FAREWELL_SECONDS: Final = 2.0
_log = logging.getLogger("undercroft")


class Live:
    """The live updates of a process."""

    def __init__(self, engine: Engine, plans: Plans, catalogs: CatalogHolder) -> None:
        self.broker = Broker()
        self.broadcaster = Broadcaster(self.broker, engine, Judge(engine, plans), self._catch_up)
        self.broadcaster.on_new_rules = self._keep_all_hearers
        self.hearers_of = 0
        """The version of the collections for whose rules those who must be asked for are written down."""
        self._engine = engine
        self._plans = plans
        self._catalogs = catalogs
        self._refresh: Callable[[], Awaitable[None]] | None = None
        self._neighbours: Neighbours | None = None
        self._replayer = Replayer(self.broadcaster)
        self._silent_since = 0.0
        self._is_hearing = False
        self._written = WrittenHearers()
        self._rung = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, refresh: Callable[[], Awaitable[None]], wakeup: Wakeup | None) -> None:
        """Follow the change log, and look after the clients.

        `refresh` sees that the catalog is as in the database. `wakeup` is the line to the other
        processes, None for a process that has the database to itself.
        """
        self._refresh = refresh
        work = [self.broadcaster.run(), self._look_after()]
        if wakeup is not None:
            self._neighbours = Neighbours(self._engine, wakeup, self.broker.owner, self._answer)
            work.append(self._look_around())
        self._tasks = [asyncio.create_task(each) for each in work]

    async def close(self) -> None:
        """Send every client away, and stop."""
        self.broker.end_all("stopping")
        until = time.monotonic() + _FAREWELL_SECONDS
        while self.broker.clients and time.monotonic() < until:  # noqa: ASYNC110 - their own tasks see to it
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._replayer.close()
        if self._neighbours is not None:
            try:
                await self._neighbours.leave()
            except Problem as problem:
                _log.debug("%s", problem)

    def heard(self) -> None:
        """Another process rang, or it is time to look anyway."""
        self.broadcaster.wake()
        self._rung.set()

    async def connect(self, address: str, since: int | None, *, keeps_place: bool) -> Client:
        """A new client; with `keeps_place` and without `since` its place is where the log is now.

        Raises `TooManyListeners`.
        """
        client = self.broker.open(address, since, keeps_place=keeps_place)
        try:
            await self._hear()
        except BaseException:
            self.broker.close(client)
            raise
        if keeps_place and since is None:
            client.position = self.broadcaster.position
        client.greet(retry=500 + randbelow(1000) if keeps_place else 0)
        if self.broker.is_closed:
            client.end("stopping")
        return client

    async def subscribe(self, client_id: str, wish: Wish) -> None:
        """Have a client hear of these topics only, whichever process holds it.

        Raises `UnknownClient`, `WrongAddress`, `WrongAccount`, `TooManyListeners` and `NoAnswer`.
        """
        owner = client_id[: len(self.broker.owner)]
        if self._neighbours is None or owner == self.broker.owner:
            await self._fulfil(client_id, wish)
        elif problem := problem_of(await self._neighbours.pass_on(owner, client_id, write_down(wish))):
            raise problem

    async def say(self, client_id: str, topic: str, data: bytes, *, only_at: str = "", is_last: bool = False) -> bool:
        """Tell one client JSON under a topic; whether it is there, at that address, and listens to that.

        After the last one it listens to the topic no more. Raises `NoAnswer`.
        """
        owner, said = client_id[: len(self.broker.owner)], Said(topic, Raw(data), only_at, is_last)
        if self._neighbours is None or owner == self.broker.owner:
            return await self._say(client_id, said)
        return await self._neighbours.pass_on(owner, client_id, said) == FULFILLED

    async def _say(self, client_id: str, said: Said) -> bool:
        work, client = self.broadcaster.judge.work, self.broker.clients.get(client_id)
        if work is not None and client is not None and (hooks := listening_hooks(work)):
            data = await data_as_hooks_say(work, hooks, client, said.topic, bytes(said.data))
            if data is None:
                return False
            said = replace(said, data=Raw(data))
        return self.broker.say(client_id, said)

    async def _answer(self, client_id: str, asked: Asked | Said) -> str:
        if isinstance(asked, Said):
            return FULFILLED if await self._say(client_id, asked) else UnknownClient.code
        wish = await read_back(self._engine, await self._catch_up(), asked)
        try:
            await self._fulfil(client_id, wish)
        except Problem as problem:
            return problem.code
        return FULFILLED

    async def _fulfil(self, client_id: str, wish: Wish) -> None:
        client = self.broker.clients.get(client_id)
        if client is None or client.ending:
            raise UnknownClient
        if client.address != wish.address:
            raise WrongAddress
        if client.account is not None and not _is_same(client.account.identity, wish.identity):
            raise WrongAccount
        await self._hear()
        account = self.broker.bind(client, wish.identity)
        client.expires, client.session = wish.expires, wish.session
        self.broker.place(client, {text: parse_topic(text) for text in wish.topics}, account)
        catalog = await self._catch_up()
        # Who asks may have changed since the request was read; from now on the log tells.
        if account is not None and not await account.renew(self._engine, catalog.find(account.key[0])):
            client.end("signed out")
        if client.session and not await still_stands(self._engine, client.session):
            client.end("signed out")
        groups = [group for groups in client.groups.values() for group in groups]
        await self._keep_hearers(self._hearers_among(catalog, groups))
        self._begin(client)

    def _begin(self, client: Client) -> None:
        if client.is_live or not client.groups or client.ending:
            return
        if client.position is not None:
            self._replayer.start(client)
        else:
            client.position = self.broadcaster.claimed
            client.is_live = True

    async def _hear(self) -> None:
        """Follow from now on, and have writes tell of records, in all processes."""
        self._silent_since, self._is_hearing = 0.0, True
        self._engine.listeners[KIND] = self._changed
        await self.broadcaster.begin()
        if self._neighbours is not None:
            await self._neighbours.appear()

    def _changed(self) -> None:
        """A write of this process changed records."""
        self.broadcaster.wake()
        if self._neighbours is not None:
            self._neighbours.ring()

    async def _catch_up(self) -> Catalog:
        if self._refresh is not None:
            await self._refresh()
        return self._catalogs.current

    async def _keep_all_hearers(self) -> None:
        catalog = self._catalogs.current
        wanted = self._hearers_among(catalog, self.broker.groups())
        self._written.keep_only(wanted)
        await self._keep_hearers(wanted)
        self.hearers_of = catalog.version

    async def _keep_hearers(self, wanted: Wanted) -> None:
        """Write down who must be asked for when records go, unless that was done a moment ago."""
        left = self._written.take(wanted, time.monotonic())
        try:
            while left:
                some = dict(islice(left.items(), _WRITTEN_AT_ONCE))
                await self._engine.write(partial(keep_hearers, dialect=self._engine.dialect, hearers=some))
                for key in some:
                    del left[key]
        finally:
            self._written.drop(left)

    def _hearers_among(self, catalog: Catalog, groups: Iterable[Group]) -> Wanted:
        wanted = dict[str, tuple[str, Hearer]]()
        for group in groups:
            collection = catalog.find(group.topic.collection)
            scope = Scope(group.identity, "realtime", "GET", group.topic.query, group.topic.headers)
            try:
                access = Access(self._engine.read, self._plans, catalog, scope)
                hearer = collection and hearer_of(access, collection, group.topic)
            except NOT_TOLD:
                continue
            if collection and hearer:
                wanted[hearer.key(collection)] = collection.id, hearer
        return wanted

    async def _look_around(self) -> None:
        """See what other processes want of this one, until cancelled."""
        while self._neighbours is not None:
            await self._rung.wait()
            self._rung.clear()
            try:
                await self._neighbours.look()
                if self._neighbours.others_listen:
                    self._engine.listeners[KIND] = self._changed
                elif not self._is_hearing:
                    self._engine.listeners.pop(KIND, None)
            except Problem as problem:
                _log.debug("Other processes cannot be heard: %s", problem)

    async def _look_after(self) -> None:
        """Do what is due for the clients, until cancelled."""
        sessions_at = hearers_at = 0.0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            moment = time.monotonic()
            self._beat(moment)
            try:
                if moment >= sessions_at + _SESSION_SECONDS:
                    sessions_at = moment
                    await self.end_closed()
                if moment >= hearers_at + HEARER_SECONDS:
                    hearers_at = moment
                    await self._keep_all_hearers()
                await self._rest_if_alone(moment)
            except Problem as problem:
                _log.debug("Clients that listen cannot be looked after: %s", problem)

    def reached(self) -> int | None:
        """Up to which position everything was told."""
        return self.broadcaster.position

    def _beat(self, moment: float) -> None:
        now = time.time()
        for client in tuple(self.broker.clients.values()):
            if client.expires and client.expires <= now:
                client.end("expired")
            client.beat(moment)

    async def end_closed(self) -> None:
        """End the connections of sessions and API keys that were ended, are over, or let their accounts in no more."""
        access = Access(self._engine.read, self._plans, self._catalogs.current, GUEST)
        for client in tuple(self.broker.clients.values()):
            if client.session and not await still_stands(self._engine, client.session):
                client.end("signed out")
        for account in tuple(self.broker.accounts.values()):
            if account.identity.grant is not None and not await self._is_let_in(access, account.identity):
                for client in tuple(account.clients):
                    client.end("signed out")

    async def _is_let_in(self, access: Access, identity: Identity) -> bool:
        try:
            return await is_let_in(access, identity)
        except SqlError:  # collections change, and the next look is soon
            return True

    async def _rest_if_alone(self, moment: float) -> None:
        """When nobody listens any more: after a while, let writes be silent."""
        if self.broker.clients:
            self._silent_since = 0.0
        elif self._is_hearing:
            self._silent_since = self._silent_since or moment
            if moment - self._silent_since > LINGER_SECONDS:
                await self._rest()
                return
        if self._is_hearing and self._neighbours is not None:
            await self._neighbours.appear()

    async def _rest(self) -> None:
        self._is_hearing = False
        self.broadcaster.rest()
        self._written = WrittenHearers()
        self._engine.listeners.pop(KIND, None)
        if self._neighbours is not None:
            await self._neighbours.leave()


def _is_same(bound: Identity, asking: Identity | None) -> bool:
    return asking is not None and key_of(bound)[:2] == key_of(asking)[:2]
