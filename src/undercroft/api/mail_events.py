"""What happens to letters, as hooks see it: on its way out, whichever process sends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from email import message_from_string
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property

from undercroft.backend import Backend
from undercroft.errors import Problem, Unavailable
from undercroft.hooks.failures import HookFailed
from undercroft.mail.carrier import Carrier, NotSent, Posted
from undercroft.records.access import Access
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.saving import Outside


class MailerSend(SiteEvent):
    """A letter is about to be handed over; after `next()` it is. Who must not have it is refused.

    `kind` says what it is about: `verification`, `password-reset`, `email-change`, `otp`, `login-alert`, `hook`.
    """

    def __init__(self, backend: Backend, posted: Posted) -> None:
        super().__init__(Outside(Work(backend), Access.of_system(backend)))
        self.kind = posted.kind
        self.sender = posted.sender
        self.recipient = posted.recipient
        self._content = posted.content

    @cached_property
    def message(self) -> EmailMessage:
        """The letter with its headers; what is changed before `next()` is sent."""
        return message_from_string(self._content, _class=EmailMessage, policy=SMTP)

    @property
    def content(self) -> str:
        """The letter as it will be sent."""
        return self.message.as_string() if "message" in self.__dict__ else self._content


@dataclass(frozen=True, slots=True)
class CarrierWithHooks:
    """Hands letters to another carrier, with hooks around it."""

    carrier: Carrier
    backend: Backend

    async def carry(self, posted: Posted) -> str:
        """Hand the letter over; what was answered. Raises `NotSent`."""
        hooks = self.backend.hooks
        found = hooks.registry.find("mailer_send", posted.kind)
        if not found:
            return await self.carrier.carry(posted)
        event, answered = MailerSend(self.backend, posted), ""

        async def deed() -> None:
            nonlocal answered
            changed = replace(posted, sender=event.sender, recipient=event.recipient, content=event.content)
            answered = await self.carrier.carry(changed)

        try:
            await hooks.run(found, event, deed, f" for the letter {posted.id}")
        except NotSent:
            raise
        except Problem as problem:
            # A hook that is broken may be mended; one that refuses has said what it had to say.
            is_final = not isinstance(problem, HookFailed | Unavailable)
            raise NotSent(f"A hook did not let it go: {problem}", is_final=is_final) from problem
        return answered
