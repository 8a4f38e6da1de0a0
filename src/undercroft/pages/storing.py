"""What a page does in the transaction that stores its form.

    async def stored(record, storing):
        await storing.mail("team@example.com", f"A brief from {record['name']}", text=record["message"])

The function `stored` of a page's script is called once the record is written and before
that is durable: what it raises undoes the record, and its letters are sent only if the
record stays. It waits for nothing but `storing`, and may be called again by an engine
that tries a transaction again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from undercroft.database.engine import Transaction
from undercroft.mail.message import Letter, Mailbox, one_line
from undercroft.mail.outbox import enqueue, seal
from undercroft.records.draft import Draft
from undercroft.records.saving import Also

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


class Storing:
    """The transaction, as a page's script works in it; `request` is the visit."""

    def __init__(self, request: PageRequest, transaction: Transaction) -> None:
        self.request = request
        self._transaction = transaction

    async def mail(self, to: str, subject: str, *, text: str = "", html: str = "", reply_to: str = "") -> None:
        """Send a letter to an address once all is durable. Raises `BadLetter`."""
        backend = self.request.http.backend
        meta = backend.settings.meta
        sender = Mailbox(meta.sender_address, one_line(meta.sender_name))
        answers = (Mailbox(reply_to),) if reply_to else ()
        letter = Letter(sender, (Mailbox(to),), one_line(subject), html, text, answers)
        await enqueue(self._transaction, backend.engine.dialect, seal(letter, f"page {self.request.page.name}"))


Stored = Callable[[Mapping[str, Any], Storing], Awaitable[None]]


def storing_with(visit: PageRequest) -> Also | None:
    """What is done beside a write of a visit's form; None where its page does nothing."""
    stored = visit.stored
    if stored is None:
        return None

    async def also(transaction: Transaction, draft: Draft) -> None:
        await stored(draft.values, Storing(visit, transaction))

    return also
