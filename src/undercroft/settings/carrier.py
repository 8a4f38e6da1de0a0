"""How letters leave, as the settings say."""

from __future__ import annotations

from undercroft.mail.carrier import Posted
from undercroft.mail.sendmail import SendmailCarrier
from undercroft.settings.settings import SettingsHolder, Smtp


class SettingsCarrier:
    """Asks the settings anew for each letter: a mail server, or the machine's own program."""

    def __init__(self, holder: SettingsHolder) -> None:
        self._holder = holder

    async def carry(self, posted: Posted) -> str:
        """Hand the letter over; what was answered. Raises `NotSent`."""
        smtp = self._holder.current.smtp
        if not smtp.enabled:
            return await SendmailCarrier().carry(posted)
        return await _carry_to(smtp, posted)


async def _carry_to(smtp: Smtp, posted: Posted) -> str:
    # Few processes ever send a letter, and the start should not wait for what they need.
    from undercroft.mail.smtp import MailServer, SmtpCarrier  # noqa: PLC0415

    server = MailServer(
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password,
        auth_method=smtp.auth_method,
        tls=smtp.tls,
        local_name=smtp.local_name,
    )
    return await SmtpCarrier(server).carry(posted)
