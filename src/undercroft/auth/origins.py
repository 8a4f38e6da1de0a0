"""Origins: from where an account logs in, to tell it of a log-in from somewhere new."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import md5
from typing import Final

from undercroft.auth.kept import drop, keep, load_kept, prepare_kept
from undercroft.auth.letter_events import write_unless_refused
from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import WithLetters
from undercroft.database.engine import Transaction
from undercroft.dates import now
from undercroft.mail.message import one_line
from undercroft.mail.outbox import PATIENCE, Sealed, enqueue
from undercroft.query.scope import Identity
from undercroft.records.record import find_record

KEPT: Final = "_authOrigins"
MOST: Final = 5
_LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a log-in came from: the address, and what the browser calls itself."""

    address: str
    agent: str

    @property
    def fingerprint(self) -> str:
        """What is kept of it; it need not withstand anybody."""
        told = self.address + self.agent[:_LONGEST_AGENT]
        return md5(told.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


async def note_origin(backend: WithLetters, account: Identity, origin: Origin) -> None:
    """Remember where an account logged in from; when that is new, and not the first place ever, write to it."""
    auth = account.collection.auth
    if auth is None or not auth.auth_alert.enabled:
        return
    read, collection = backend.engine.read, backend.catalog.collection(KEPT)
    known = {"collectionRef": account.collection.id, "recordRef": account.id, "fingerprint": origin.fingerprint}
    if await find_record(read, backend.engine.dialect, collection, known):
        return
    others = await load_kept(read, backend, KEPT, account)
    prepared = await prepare_kept(backend, KEPT, account, {"fingerprint": origin.fingerprint})
    address = str(account.record["email"])
    told = one_line(f"{now()} - {origin.address} {origin.agent[:_LONGEST_AGENT]}")
    occasion = Occasion("login-alert", {"ALERT_INFO": told}, PATIENCE)
    letter = Sealed(())
    if address and others:
        letter = await write_unless_refused(backend, account, address, occasion)
    elif address:  # the first place ever, unless somebody logs in from another one at this moment
        letter = write_to(account, address, occasion, backend.settings.meta)

    async def note(tx: Transaction) -> None:
        before = await load_kept(tx.run, backend, KEPT, account)
        if any(record["fingerprint"] == origin.fingerprint for record in before):
            return
        await keep(backend, tx, KEPT, prepared)
        for old in before[MOST - 1 :]:
            await drop(backend, tx, KEPT, old)
        if before:
            await enqueue(tx, backend.engine.dialect, letter)

    await backend.engine.write(note)
