"""Handing letters to a mail server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import aiosmtplib

from undercroft.mail.carrier import NotSent, Posted

_ANSWER: Final = 20.0  # seconds a server has for each answer
_WHOLE: Final = 60.0  # and for taking a letter


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed over. `tls` is from the first byte; otherwise STARTTLS is used where it is offered.

    `auth_method` is `PLAIN`, `LOGIN`, or empty for the best one that the server offers.
    """

    host: str
    port: int
    username: str = ""
    password: str = ""
    auth_method: str = ""
    tls: bool = False
    local_name: str = ""


class SmtpCarrier:
    """Carries each letter over a connection of its own."""

    def __init__(self, server: MailServer, whole: float = _WHOLE) -> None:
        self._server = server
        self._whole = whole

    async def carry(self, posted: Posted) -> str:
        """Hand the letter over; what the server answered. Raises `NotSent`."""
        try:
            async with asyncio.timeout(self._whole):
                return await self._talk(posted)
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error, is_general=not _is_about_the_letter(error)) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0], is_general=False) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise NotSent(f"The mail server cannot take it: {error.message}.", is_final=True) from error
        except aiosmtplib.SMTPServerDisconnected as error:
            raise NotSent(f"{self._place} broke off: {error}", is_general=True) from error
        except TimeoutError as error:
            raise NotSent(f"{self._place} did not answer in time.", is_general=True) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotSent(f"{self._place} cannot be used: {error}", is_general=True) from error

    @property
    def _place(self) -> str:
        return f"The mail server {self._server.host}:{self._server.port}"

    async def _talk(self, posted: Posted) -> str:
        client = await _connect(self._server)
        try:
            await self._log_in(client)
            needs_utf8 = not posted.content.isascii() or not posted.recipient.isascii()
            options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_utf8 else []
            content = posted.content.encode()
            _, answer = await client.sendmail(posted.sender, [posted.recipient], content, mail_options=options)
            with suppress(aiosmtplib.SMTPException, OSError):  # the letter is there, whatever happens to the good-bye
                await client.quit(timeout=1)
            return answer
        finally:
            client.close()

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        server = self._server
        if not server.username:
            return
        if not (server.tls or _is_encrypted(client) or _is_local(server.host)):
            reason = "offers no encryption, and a password is not sent in the clear"
            raise NotSent(f"{self._place} {reason}.", is_general=True)
        log_in = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login}.get(server.auth_method, client.login)
        await log_in(server.username, server.password)


async def _connect(server: MailServer) -> aiosmtplib.SMTP:
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=server.local_name or "localhost",
        timeout=_ANSWER,
        use_tls=server.tls,
    )
    await client.connect()
    return client


def _is_encrypted(client: aiosmtplib.SMTP) -> bool:
    return client.get_transport_info("sslcontext") is not None


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _is_about_the_letter(error: Exception) -> bool:
    """Whether another letter might have got through."""
    return isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)


def _refused(error: Exception, *, is_general: bool) -> NotSent:
    """What a server's answer means: 5xx about a letter is its last word, all else may change."""
    code, message = getattr(error, "code", 0), getattr(error, "message", str(error))
    is_final = 500 <= code < 600 and not is_general
    return NotSent(f"The mail server said {code} {message}", is_final=is_final, is_general=is_general)
