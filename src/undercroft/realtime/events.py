"""What happens to messages, as hooks see it: one that is about to be put in line for a client."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import msgspec

from undercroft.errors import Problem
from undercroft.hooks.hook import Hook
from undercroft.hooks.hooks import nothing
from undercroft.query.scope import Scope
from undercroft.realtime.client import Client
from undercroft.records.access import Access
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.saving import Outside

MOMENT: Final = "realtime_message_send"
_BETWEEN: Final = b"\ndata:"


class RealtimeMessage(SiteEvent):
    """A client is about to be told something. `data` is the JSON it will hear under `topic`, to be changed or refused.

    `identity` is whom it listens as.
    """

    def __init__(self, work: Work, client: Client, topic: str, data: Any) -> None:
        host, identity = work.host, client.account.identity if client.account else None
        scope = Scope(identity, "realtime")
        super().__init__(Outside(work, Access.of(host, scope)))
        self.client_id = client.id
        self.topic = topic
        self.data = data


def listening_hooks(work: Work | None) -> tuple[Hook, ...]:
    """The hooks that have a say in what clients are told."""
    return work.host.hooks.registry.find(MOMENT) if work is not None else ()


async def change_all(work: Work, hooks: tuple[Hook, ...], events: dict[Client, list[bytes]]) -> set[Client]:
    """Leave of what clients are told what hooks leave of it; those for whom there was no time left."""
    late = set(events)
    with suppress(TimeoutError):
        async with asyncio.timeout(work.host.hooks.seconds):
            for client, told in tuple(events.items()):
                found = [await _event_as_hooks_say(work, hooks, client, event) for event in told]
                events[client] = [event for event in found if event]
                late.discard(client)
    return late


async def _event_as_hooks_say(work: Work, hooks: tuple[Hook, ...], client: Client, event: bytes) -> bytes:
    head, _, data = event.rstrip(b"\n").partition(_BETWEEN)
    changed = await data_as_hooks_say(work, hooks, client, head.removeprefix(b"event:").decode(), data)
    return b"" if changed is None else b"%s%s%s\n\n" % (head, _BETWEEN, changed)


async def data_as_hooks_say(
    work: Work, hooks: tuple[Hook, ...], client: Client, topic: str, data: bytes
) -> bytes | None:
    """The JSON of a message as hooks leave it for a client; None when they do not let it go."""
    message = RealtimeMessage(work, client, topic, msgspec.json.decode(data))
    try:
        await work.host.hooks.run(hooks, message, nothing, f" for a message to {client.id}")
    except Problem:
        return None
    return msgspec.json.encode(message.data)
