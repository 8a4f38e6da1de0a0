"""What a client missed while it was away, told by the rules and the records as they are now.

It reads the change log from where the client was, in portions, as fast as the client
takes them, until it has caught up with what is told live. Where the log does not reach back
so far, or says too little, the client is told to read anew what it shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from undercroft.database.changes import LoggedChange, changes_since, first_change_id, last_change_id
from undercroft.errors import Problem
from undercroft.realtime.broadcast import Broadcaster, Told, let_hooks_change, tell
from undercroft.realtime.broker import Group, groups_of
from undercroft.realtime.client import Client
from undercroft.realtime.happenings import happening_of

LONGEST: Final = 5_000  # entries of the log; who missed more reads anew
_PORTION: Final = 200
_ATTEMPTS: Final = 5
_SIDE_BY_SIDE: Final = 4
_BREATH: Final = 20
_PATIENCE: Final = 0.02
_log = logging.getLogger("undercroft")


class Replayer:
    """Brings clients up to date, a few at a time."""

    def __init__(self, broadcaster: Broadcaster) -> None:
        self._broadcaster = broadcaster
        self._turns = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, client: Client) -> None:
        """Have a client told what it missed, and then what happens."""
        task = asyncio.create_task(self._replay(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _replay(self, client: Client) -> None:
        try:
            if await self._reaches_back(client.position or 0):
                await self._catch_up(client)
            else:
                self._give_up(client)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client must hear that it missed something
            fault = None if isinstance(error, Problem) else error
            _log.warning("A client cannot be told what it missed: %s", error, exc_info=fault)
            self._give_up(client)

    async def _reaches_back(self, since: int) -> bool:
        read = self._broadcaster.engine.read
        first, last = await first_change_id(read), await last_change_id(read)
        return first <= since + 1 and since <= max(last, self._broadcaster.claimed) and last - since <= LONGEST

    def _give_up(self, client: Client) -> None:
        client.tell_to_resync(self._broadcaster.claimed)
        client.is_live = True

    async def _catch_up(self, client: Client) -> None:
        while not client.ending:
            async with self._turns:
                entries = await changes_since(self._broadcaster.engine, client.position or 0, _PORTION)
                told = await self._judge(client, entries)
            for each in told:
                await let_hooks_change(self._broadcaster.judge, each)
                if client in each.unsure:
                    client.tell_to_resync(each.position)
                elif client in each.events:
                    client.tell(each.position, each.events[client])
            client.position = max(client.position or 0, entries[-1].id if entries else 0)
            # Nothing may be awaited between the question and the answer.
            if client.position >= self._broadcaster.claimed:
                client.is_live = True
                return
            while client.is_busy and not client.ending:  # noqa: ASYNC110 - as fast as the client takes it
                await asyncio.sleep(_PATIENCE)

    async def _judge(self, client: Client, entries: Sequence[LoggedChange]) -> list[Told]:
        broadcaster = self._broadcaster
        for _ in range(_ATTEMPTS):
            catalog = await broadcaster.catch_up()
            told = []
            for number, entry in enumerate(entries, 1):
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
                collection = catalog.find(entry.change.collection) if entry.change.kind == "record" else None
                found = groups_of(client, collection, entry.change.record) if collection else ()
                groups = [Group(group.topic, group.account, {client: None}) for group in found]
                if groups:
                    happening = await happening_of(broadcaster.engine, catalog, entry, as_it_is_now=True)
                    told.append(await tell(broadcaster.judge, catalog, entry.id, happening, groups))
            if not told or not await broadcaster.has_moved(catalog, entries[-1].id):
                return told
            await self._renew(client)
        return [Told(entries[-1].id, unsure={client})]

    async def _renew(self, client: Client) -> None:
        account, catalog = client.account, await self._broadcaster.catch_up()
        if account is not None and not await account.renew(self._broadcaster.engine, catalog.find(account.key[0])):
            client.end("signed out")
            self._broadcaster.broker.close(client)
