"""From the change log to those who listen.

One task in each process follows the change log for as long as somebody listens, and tells
each change to those who may know of it. Whoever writes wakes it, in whichever process;
should a wake-up be lost, it looks by itself four times a second.

Accounts, rules and records change while it reads them. So what was judged counts only if
none of them changed in the meantime, which the change log tells as well; else it is judged anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.database.changes import LoggedChange, changes_since, settled_change_id
from undercroft.database.engine import Engine
from undercroft.errors import Problem
from undercroft.realtime.broker import Broker, Group
from undercroft.realtime.client import Client
from undercroft.realtime.events import change_all, listening_hooks
from undercroft.realtime.happenings import happening_of
from undercroft.realtime.judge import NOT_TOLD, Happening, Judge, NobodyKnows

AT_ONCE: Final = 100
_ATTEMPTS: Final = 5
_BREATH: Final = 8  # questions between two looks at what else is to be done, or at a time
_TOGETHER: Final = 25  # events put into the queues before they are sent
_MOMENT: Final = 0.1  # seconds
_PAUSE: Final = 0.25
_MOST_LOOKED_AT: Final = 1000
_log = logging.getLogger("undercroft")


@dataclass(slots=True)
class Told:
    """What happened at a position, and what each client hears of it."""

    position: int
    events: dict[Client, list[bytes]] = field(default_factory=dict)
    unsure: set[Client] = field(default_factory=set)
    """Those who may have missed something here."""
    is_read_now: bool = False
    """Whether it may show what came after."""


class Broadcaster:
    """Tells the clients of a broker what happens; `position` is up to where."""

    def __init__(
        self,
        broker: Broker,
        engine: Engine,
        judge: Judge,
        catch_up: Callable[[], Awaitable[Catalog]],
    ) -> None:
        self.broker = broker
        self.judge = judge
        self.engine = engine
        self.catch_up = catch_up
        self.on_new_rules: Callable[[], Awaitable[None]] | None = None
        self.position: int | None = None
        self.claimed = 0
        self._woken = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._has_failed = False
        self._failures = 0

    def wake(self) -> None:
        """There may be something new."""
        if self.position is not None:
            self._woken.set()

    async def begin(self) -> None:
        """Follow from now on, if it does not follow yet."""
        async with self._beginning:
            if self.position is None:
                self.claimed = await settled_change_id(self.engine)
                self.position = self.claimed

    def rest(self) -> None:
        """Follow no more until somebody listens again."""
        self.position = None

    async def run(self) -> None:
        """Follow whenever somebody listens, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self.advance()
                self._has_failed = False
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - who followed no more would leave all listeners in the dark
                self._tell_of(error)
                self._failures += not isinstance(error, Problem)
                if self._failures >= _ATTEMPTS:
                    self._skip()
                await asyncio.sleep(_PAUSE)
                self._woken.set()

    async def advance(self) -> None:
        """Tell all that is new."""
        while self.position is not None:
            entries = await changes_since(self.engine, self.position, AT_ONCE)
            if not entries:
                return
            self.claimed = entries[-1].id
            told = await self._judge(entries)
            for number, each in enumerate(told, 1):
                await let_hooks_change(self.judge, each)
                if deliver(each):
                    await let_drain(each.events)
                elif number % _TOGETHER == 0:
                    await asyncio.sleep(0)
            if self.position is not None:
                self.position = self.claimed

    async def _judge(self, entries: Sequence[LoggedChange]) -> list[Told]:
        for _ in range(_ATTEMPTS):
            catalog = await self.catch_up()
            await self._renew_accounts(catalog, entries)
            if self.on_new_rules and any(entry.change.kind == "collection" for entry in entries):
                await self.on_new_rules()
            told = await self._try_judging(catalog, entries)
            if not any(each.is_read_now for each in told) or not await self.has_moved(catalog, self.claimed):
                return told
        return [Told(self.claimed, unsure=set(self.broker.clients.values()))]

    async def _try_judging(self, catalog: Catalog, entries: Sequence[LoggedChange]) -> list[Told]:
        told = []
        for entry in entries:
            collection = catalog.find(entry.change.collection) if entry.change.kind == "record" else None
            groups = list(self.broker.groups_at(collection, entry.change.record)) if collection else []
            if groups:
                happening = await happening_of(self.engine, catalog, entry)
                told.append(await tell(self.judge, catalog, entry.id, happening, groups))
        return told

    async def _renew_accounts(self, catalog: Catalog, entries: Sequence[LoggedChange]) -> None:
        """Know anew who changed, or all when what they are known by may have."""
        if not self.broker.accounts:
            return
        changes = [entry.change for entry in entries]
        touched = [each for change in changes for each in self.broker.accounts_of(change.collection, change.record)]
        if any(change.kind == "collection" for change in changes):
            touched = list(self.broker.accounts.values())
        for account in dict.fromkeys(touched):
            if not await account.renew(self.engine, catalog.find(account.key[0])):
                for client in tuple(account.clients):
                    client.end("signed out")
                    self.broker.close(client)

    async def has_moved(self, catalog: Catalog, position: int) -> bool:
        """Whether rules, or accounts that listen, changed after a position, also where the log is not settled yet."""
        if await self.catch_up() is not catalog:
            return True
        known = {key[:2] for key in self.broker.accounts}
        mark = self.engine.dialect.placeholder
        sql = f"""SELECT "record" FROM "_changes" WHERE "id" > {mark(1)} AND "collection" = {mark(2, "text")}
            LIMIT {_MOST_LOOKED_AT}"""
        for collection_id in {key[0] for key in known}:
            found = await self.engine.read(sql, (position, collection_id))
            if len(found) >= _MOST_LOOKED_AT or any((collection_id, record) in known for (record,) in found):
                return True
        return False

    def _skip(self) -> None:
        """Go on behind what cannot be told; those who keep their place read anew."""
        deliver(Told(self.claimed, unsure=set(self.broker.clients.values())))
        self.position, self._failures = self.claimed, 0

    def _tell_of(self, error: Exception) -> None:
        """Once, not again and again while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("Live updates have to wait: %s", error, exc_info=fault)


async def tell(
    judge: Judge, catalog: Catalog, position: int, happening: Happening | None, groups: Sequence[Group]
) -> Told:
    """Judge a change for groups; without a happening nobody can say what it was."""
    told = Told(position)
    if happening is None:
        told.unsure.update(client for group in groups for client in group.clients)
    if happening is None or not happening.columns:
        return told
    told.is_read_now = happening.is_read_now or any("expand" in group.topic.query for group in groups)
    for at in range(0, len(groups), _BREATH):
        some = groups[at : at + _BREATH]
        if judge.engine.is_networked:  # where asking is mostly waiting
            await asyncio.gather(*(_ask(judge, catalog, happening, group, told) for group in some))
        else:
            for group in some:
                await _ask(judge, catalog, happening, group, told)
            await asyncio.sleep(0)
    return told


async def _ask(judge: Judge, catalog: Catalog, happening: Happening, group: Group, told: Told) -> None:
    """Put what a group is told of a change beside what others are."""
    try:
        event = await judge.event(catalog, happening, group.topic, group.identity)
    except NobodyKnows:
        told.unsure.update(group.clients)
    except NOT_TOLD as problem:
        _log.debug("%s: %s", group.topic.text, problem)
    else:
        if event is not None:
            for client in group.clients:
                told.events.setdefault(client, []).append(event)


async def let_hooks_change(judge: Judge, told: Told) -> None:
    """Leave of what was judged what hooks leave of it."""
    if told.events and judge.work is not None and (hooks := listening_hooks(judge.work)):
        told.unsure |= await change_all(judge.work, hooks, told.events)
        told.events = {client: events for client, events in told.events.items() if events}


def deliver(told: Told) -> bool:
    """Put what was judged into the queues of those who listen live; whether one of them fills up."""
    is_filling = False
    for client in told.unsure:
        if client.is_live and client.keeps_place:
            client.tell_to_resync(told.position)
    for client, events in told.events.items():
        if client.is_live and client not in told.unsure:
            client.tell(told.position, events)
            is_filling = is_filling or client.is_filling
    return is_filling


async def let_drain(clients: Iterable[Client]) -> None:
    """Give those whose queues fill up a moment to read; who did not use it is not waited for again."""
    until = monotonic() + _MOMENT
    while filling := [client for client in clients if client.is_filling]:
        if monotonic() > until:
            for client in filling:
                client.is_stuck = True
            return
        await asyncio.sleep(_MOMENT / 20)
