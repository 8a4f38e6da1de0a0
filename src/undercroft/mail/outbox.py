"""The outbox: letters that are to be sent, in the same database as what they tell of.

A letter is put in inside the transaction that it belongs to, so it is sent if that commits
and never otherwise. Each recipient has a row of their own, so that one who is refused holds
up nobody. A row whose sender died is sent again: so a letter may come twice, once for each
such death, and its Message-ID is the same both times.

What is sent keeps its row for some days without the message, which may hold a secret. Who it
is for and what it says are sealed while they are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Texts, Transaction
from undercroft.database.queue import Ending, Queue, claim
from undercroft.dates import now
from undercroft.ids import record_id
from undercroft.mail.carrier import Posted
from undercroft.mail.message import Letter

PATIENCE: Final = 3 * 86_400.0  # seconds in which a letter must get through, if it does not expire sooner

SENT_DAYS: Final = 7
DEAD_DAYS: Final = 30
_COLUMNS: Final = ("id", "kind", "sender", "recipient", "content")
_SEALED: Final = ("recipient", "content")
LETTERS: Final = Queue(
    "_outbox",
    "outbox",
    (*_COLUMNS, "note"),
    "sending",
    {"sent": SENT_DAYS, "dead": DEAD_DAYS},
    expire=True,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A letter ready to be put into the outbox; sent within `seconds` or not at all."""

    posts: tuple[Posted, ...]
    seconds: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that this process sends now, for the `attempt`-th time; `note` is what came of the last one."""

    posted: Posted
    attempt: int
    note: str
    is_late: bool

    @property
    def id(self) -> str:
        return self.posted.id


def seal(letter: Letter, kind: str = "", seconds: float = PATIENCE) -> Sealed:
    """Write a letter out, once and for all. Raises `BadLetter`.

    `kind` says what it is about, to those who look after the outbox. Do this before the
    transaction begins: it takes a millisecond.
    """
    # The parser of addresses takes a while to load, and few processes write letters.
    from undercroft.mail.mime import ascii_address, write_out  # noqa: PLC0415

    sender = ascii_address(letter.sender.address)
    content = write_out(letter, f"<{record_id()}@{sender.rpartition('@')[2]}>")
    recipients = dict.fromkeys(ascii_address(box.address) for box in letter.to)
    posts = tuple(Posted(record_id(), kind, sender, recipient, content) for recipient in recipients)
    return Sealed(posts, seconds)


async def enqueue(tx: Transaction, dialect: Dialect, letter: Sealed) -> None:
    """Have a letter sent once the transaction is durable; undone with it otherwise."""
    mark, clock, moment = dialect.placeholder, dialect.clock(), now()
    names = ", ".join(dialect.quote(name) for name in (*_COLUMNS, "state", "due", "until", "created", "updated"))
    places = ", ".join(mark(number) for number in range(1, 6))
    ending = f"{clock}, {clock} + {mark(6, 'number')}, {mark(7, 'date')}, {mark(8, 'date')}"
    sql = f"""INSERT INTO "_outbox" ({names}) VALUES ({places}, 'waiting', {ending})"""
    for post in letter.posts:
        recipient, content = (tx.texts.seal_text(_place(name, post.id), getattr(post, name)) for name in _SEALED)
        values = (post.id, post.kind, post.sender, recipient, content)
        await tx.run(sql, (*values, letter.seconds, moment, moment))
    tx.announce(LETTERS.kind)


async def claim_letters(tx: Transaction, dialect: Dialect, most: int, seconds: float, at_once: int) -> list[Claimed]:
    """At most so many letters that are due, for this process to send within some seconds.

    All processes together have no more than `at_once` claims.
    """
    busy = await tx.run(f"""SELECT count(*) FROM "_outbox" WHERE "state" = 'sending' AND "due" > {dialect.clock()}""")
    free = min(most, at_once - int(busy[0][0] or 0))
    rows = await claim(tx, dialect, LETTERS, free, seconds) if free > 0 else []
    return [_claimed(row, tx.texts) for row in rows]


def sent(answer: str) -> Ending:
    """A letter was sent; what was answered is kept, and the message is not."""
    return Ending("sent", answer, None, {"content": ("text", "")})


def open_part(texts: Texts, name: str, letter_id: str, kept: str) -> str:
    """The recipient or the content of a letter; empty when it is not kept any more."""
    return texts.open_text(_place(name, letter_id), kept) if kept else ""


def _place(name: str, letter_id: str) -> str:
    return f"_outbox|{name}|{letter_id}"


def _claimed(row: Row, texts: Texts) -> Claimed:
    letter_id, kind, sender, kept_recipient, kept_content, note, attempt, is_late = row
    recipient = open_part(texts, "recipient", str(letter_id), str(kept_recipient))
    content = open_part(texts, "content", str(letter_id), str(kept_content))
    posted = Posted(str(letter_id), str(kind), str(sender), recipient, content)
    return Claimed(posted, int(attempt or 0), str(note), bool(is_late))
