"""Telling an account of a change of how it is reached, in the transaction of that change."""

from __future__ import annotations

from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import WithLetters
from undercroft.database.engine import Transaction
from undercroft.mail.outbox import PATIENCE, enqueue
from undercroft.query.scope import Identity


async def tell_of_change(backend: WithLetters, tx: Transaction, account: Identity, change: str) -> None:
    """Write a sentence to the account's address, where the collection tells of log-ins from somewhere new."""
    auth, address = account.collection.auth, str(account.record["email"])
    if auth is not None and auth.auth_alert.enabled and address:
        occasion = Occasion("account-change", {"CHANGE": change}, PATIENCE)
        letter = write_to(account, address, occasion, backend.settings.meta)
        await enqueue(tx, backend.engine.dialect, letter)
