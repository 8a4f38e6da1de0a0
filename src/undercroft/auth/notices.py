"""Telling an account that there is a new way into it, in the transaction that opens the way."""

from __future__ import annotations

from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import WithLetters
from undercroft.database.engine import Transaction
from undercroft.mail.outbox import PATIENCE, enqueue
from undercroft.query.scope import Identity


async def tell_of_new_way_in(backend: WithLetters, tx: Transaction, account: Identity, what: str) -> None:
    """Write to the account's address, where the collection tells of log-ins from somewhere new."""
    auth, address = account.collection.auth, str(account.record["email"])
    if auth is not None and auth.auth_alert.enabled and address:
        letter = write_to(account, address, Occasion("new-way-in", {"WAY_IN": what}, PATIENCE), backend.settings.meta)
        await enqueue(tx, backend.engine.dialect, letter)
