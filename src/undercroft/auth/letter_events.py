"""The letters to accounts, as hooks see them before they are put into the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from undercroft.auth.letters import LetterKind, Occasion, draft_letter
from undercroft.auth.superusers import WithRecords
from undercroft.errors import Problem
from undercroft.hooks.failures import HookTimeout
from undercroft.hooks.hooks import nothing
from undercroft.mail.message import Letter
from undercroft.mail.outbox import Sealed, seal
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.event_record import shown_values
from undercroft.records.events import RecordEvent
from undercroft.records.host import Work
from undercroft.records.saving import Outside
from undercroft.records.surroundings import Surroundings

_MOMENTS: Final[Mapping[LetterKind, str]] = {
    "verification": "mailer_record_verification_send",
    "password-reset": "mailer_record_password_reset_send",
    "email-change": "mailer_record_email_change_send",
    "otp": "mailer_record_otp_send",
    "login-alert": "mailer_record_auth_alert_send",
}
_log = logging.getLogger("undercroft")


class MailerRecordSend(RecordEvent):
    """An account is written to. `letter` can be replaced by another one (`dataclasses.replace`).

    `values` are what the template was filled with: the token, or the code.
    """

    def __init__(
        self, surroundings: Surroundings, account: Identity, values: Mapping[str, str], letter: Letter
    ) -> None:
        super().__init__(surroundings, account.collection)
        self.record: Mapping[str, Any] = shown_values(account.collection, account.record)
        self.values = values
        self.letter = letter


async def write_letter(backend: WithRecords, account: Identity, address: str, occasion: Occasion) -> Sealed:
    """A letter to an account at an address, as hooks leave it. Raises `BadLetter`, what hooks raise, `HookTimeout`."""
    letter = draft_letter(account, address, occasion, backend.settings.meta)
    collection, hooks = account.collection, backend.hooks
    found = hooks.registry.find(_MOMENTS.get(occasion.kind, ""), collection.name, collection.id)
    if found:
        outside = Outside(Work(backend), Access.of_system(backend))
        event = MailerRecordSend(outside, account, occasion.values, letter)
        try:
            async with asyncio.timeout(hooks.seconds):
                await hooks.run(found, event, nothing, f" for a letter to {collection.name}/{account.id}")
        except TimeoutError as error:
            raise HookTimeout from error
        letter = event.letter
    return seal(letter, occasion.kind, occasion.seconds)


async def write_unless_refused(backend: WithRecords, account: Identity, address: str, occasion: Occasion) -> Sealed:
    """The same letter; to nobody when a hook does not let it go, whatever the reason."""
    try:
        return await write_letter(backend, account, address, occasion)
    except Problem as problem:
        _log.info("A letter to %s/%s was not sent: %s", account.collection.name, account.id, problem)
        return Sealed(())
