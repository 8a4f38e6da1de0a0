"""One client that listens: what it wants to hear, and what waits to be sent to it.

What waits is bounded, and consists of texts that all who hear the same share: a client that
does not read costs a list of references, and is cut when the list is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

from undercroft.ids import random_text
from undercroft.realtime.topics import Place

if TYPE_CHECKING:
    from undercroft.realtime.broker import Account, Group

MOST_WAITING: Final = 256  # events
MOST_BYTES: Final = 1024 * 1024
IDLE_SECONDS: Final = 300.0
HEARTBEAT_SECONDS: Final = 25.0
_PACE: Final = 0.02  # seconds
_MANY: Final = 64  # parts of events that do not wait for more
_ID_LENGTH: Final = 40
_PIECE: Final = 16 * 1024  # bytes given to the server at a time: what it holds of a client that does not read

Ending = Literal["", "gone", "idle", "slow", "signed out", "expired", "stopping"]


class Client:
    """A connection that listens.

    With `keeps_place` its events carry their positions in the change log, else all the
    id of the client. What happened up to `position` it has heard, or does not want to.
    """

    __slots__ = (
        "_is_due",
        "_name",
        "_sent",
        "_size",
        "_waiter",
        "_waiting",
        "account",
        "address",
        "ending",
        "expires",
        "groups",
        "id",
        "is_live",
        "is_stuck",
        "keeps_place",
        "last_event",
        "position",
        "sender",
        "session",
        "topics",
        "topics_size",
    )

    def __init__(self, owner: str, address: str, since: int | None = None, *, keeps_place: bool = False) -> None:
        self.id = owner + random_text(_ID_LENGTH - len(owner))
        self._name = b"" if keeps_place else b"id:%s\n" % self.id.encode()
        self.address = address
        self.position = since
        self.keeps_place = keeps_place
        self.is_live = False
        self.is_stuck = False
        self.account: Account | None = None
        self.expires = 0.0
        self.session = ""
        self.groups: Mapping[Place, Sequence[Group]] = {}
        self.topics_size = 0
        self.topics: frozenset[str] = frozenset()
        self.ending: Ending = ""
        self.last_event = monotonic()
        self.sender: asyncio.Task[Any] | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_due = False
        self._sent = 0.0
        self._waiter: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """The task that runs now sends what waits here; it is cancelled when the client does not read."""
        self.sender = asyncio.current_task()

    @property
    def is_filling(self) -> bool:
        """Whether its queue is half full, of one that may still read."""
        is_half_full = len(self._waiting) > MOST_WAITING or self._size > MOST_BYTES // 2
        return is_half_full and not self.is_stuck and not self.ending

    @property
    def is_busy(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    def greet(self, retry: int = 0) -> None:
        """Have it told that it is connected, and under which id; `retry` is in milliseconds."""
        place = b"" if self.position is None else b"id:%d\n" % self.position
        name = place if self.keeps_place else self._name
        wait = b"retry:%d\n" % retry if retry else b""
        self._put(b'%s%sevent:PB_CONNECT\ndata:{"clientId":"%s"}\n\n' % (wait, name, self.id.encode()))

    def tell(self, position: int, events: Sequence[bytes]) -> None:
        """Have it told what happened at a position: texts from `event:` on, as `judge` makes them."""
        if self.position is not None and position <= self.position:
            return
        self.position = position
        if not self.keeps_place:
            for event in events:
                self._put(self._name, event)
            return
        # Only with the last one the position is reached: who is cut before hears all of it again.
        for event in events[:-1]:
            self._put(event)
        self._put(b"id:%d\n" % position, events[-1])

    def say(self, topic: str, data: bytes) -> bool:
        """Have it told JSON under a topic; whether it listens to that."""
        if topic not in self.topics or self.ending:
            return False
        self._put(b"%sevent:%s\ndata:%s\n\n" % (self._name, topic.encode(), data))
        return True

    def tell_to_resync(self, position: int) -> None:
        """Have it told that it may have missed something, and at which position it goes on."""
        self.position = position
        self._put(b"id:%d\nevent:resync\ndata:{}\n\n" % position)

    def _put(self, *parts: bytes) -> None:
        if self.ending:
            return
        self.last_event = monotonic()
        self._waiting.extend(parts)
        self._size += sum(map(len, parts))
        if len(self._waiting) > 2 * MOST_WAITING or self._size > MOST_BYTES:
            self.end("slow")
        else:
            self._wake()

    def end(self, ending: Ending) -> None:
        """Let the connection end: at once for one that does not read, else when what waits was sent."""
        if self.ending:
            return
        self.ending = ending
        if ending in ("slow", "gone"):
            self._waiting.clear()
            if self.sender is not None and ending == "slow":
                self.sender.cancel()
        self._wake()

    def beat(self, moment: float) -> None:
        """Have it hear something now and then, and end it when nothing has happened for too long."""
        if moment - self.last_event >= IDLE_SECONDS:
            self.end("idle")
        elif moment - self._sent >= HEARTBEAT_SECONDS:
            self._is_due = True
            self._wake()

    async def take(self, reached: Callable[[], int | None]) -> bytes:
        """What to send next; a heartbeat when that is due, nothing at the end.

        `reached` says up to which position a live client was told everything.
        """
        await self._pace()
        while not self._waiting:
            if self.ending:
                return b""
            if self._is_due:
                return self._heartbeat(reached())
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self.is_stuck = False
        piece = b"".join(self._next_parts())
        self._size -= len(piece)
        self._sent = monotonic()
        return piece

    def _next_parts(self) -> Iterator[bytes]:
        """What waits, as far as it goes into one piece."""
        size = 0
        while self._waiting and size < _PIECE:
            size += len(self._waiting[0])
            yield self._waiting.popleft()

    async def _pace(self) -> None:
        """What happens soon after one another is sent together: each sending costs more than what is sent."""
        if 0 < len(self._waiting) < _MANY and (left := self._sent + _PACE - monotonic()) > 0:
            await asyncio.sleep(left)

    def _heartbeat(self, reached: int | None) -> bytes:
        self._is_due, self._sent = False, monotonic()
        if not self.keeps_place or not self.is_live or reached is None:
            return b":\n\n"
        self.position = max(self.position or 0, reached)
        return b"id:%d\n\n" % self.position

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
