"""Handing letters to the machine's own mail program."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

from undercroft.mail.carrier import NotSent, Posted

_PLACES: Final = "/usr/sbin:/usr/lib:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
_SECONDS: Final = 60.0


class SendmailCarrier:
    """Carries letters by `sendmail`, which postfix, exim and others bring along."""

    def __init__(self, program: str = "") -> None:
        self._program = program

    async def carry(self, posted: Posted) -> str:
        """Hand the letter over; what the program said. Raises `NotSent`."""
        program = self._program or shutil.which("sendmail") or shutil.which("sendmail", path=_PLACES)
        if program is None:
            reason = "no mail server is set (settings.smtp), and this machine has no sendmail program"
            raise NotSent(f"There is no way to send mail: {reason}.", is_general=True)
        content = posted.content.replace("\r\n", "\n").encode()
        try:
            process = await asyncio.create_subprocess_exec(
                program, "-i", "-f", posted.sender, "--", posted.recipient, stdin=PIPE, stdout=DEVNULL, stderr=PIPE
            )
        except OSError as error:
            raise NotSent(f"{program} cannot be run: {error}", is_general=True) from error
        return await _finish(program, process, content)


async def _finish(program: str, process: Process, content: bytes) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            _, said = await process.communicate(content)
    except TimeoutError as error:
        raise NotSent(f"{program} did not end in time.", is_general=True) from error
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        words = said.decode("utf-8", "replace")[:400]
        raise NotSent(f"{program} ended with code {process.returncode}: {words}", is_general=True)
    return f"taken by {program}"
