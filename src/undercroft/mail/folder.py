"""Letters kept in a folder instead of being sent, for development."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from undercroft.mail.carrier import NotSent, Posted

FOLDER: Final = "mail"
PAGE: Final = "/_/mail"
KEPT: Final = 500
_SUFFIX: Final = ".eml"
_log = logging.getLogger("undercroft")


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A letter in the folder."""

    name: str
    message: EmailMessage


class FolderCarrier:
    """Writes letters to a folder, and tells on the terminal where to read them."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url

    async def carry(self, posted: Posted) -> str:
        """Keep the letter. Raises `NotSent`."""
        name = f"{time.time_ns() // 1_000_000}-{posted.id}"
        try:
            await asyncio.to_thread(_keep, self._folder, name, posted.content)
        except OSError as error:
            raise NotSent(f"{self._folder} cannot be written: {error}", is_general=True) from error
        _log.info("A letter to %s is at %s%s/%s", posted.recipient, self._url, PAGE, name)
        return f"kept in {self._folder}"


def list_letters(folder: Path, limit: int) -> list[KeptLetter]:
    """The newest letters, newest first."""
    found = (find_letter(folder, name) for name in reversed(_names(folder)[-limit:]))
    return [letter for letter in found if letter is not None]


def find_letter(folder: Path, name: str) -> KeptLetter | None:
    """The letter of that name, or None."""
    if not name.replace("-", "").isalnum():
        return None
    try:
        content = (folder / f"{name}{_SUFFIX}").read_bytes()
    except OSError:
        return None
    # The parser of addresses takes a while to load, and a server that is not run for a developer needs it for nothing.
    from email.policy import default  # noqa: PLC0415

    message = message_from_bytes(content, policy=default)
    return KeptLetter(name, message) if isinstance(message, EmailMessage) else None


def _names(folder: Path) -> list[str]:
    """The names of all letters, oldest first."""
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []


def _keep(folder: Path, name: str, content: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{name}"
    draft.write_bytes(content.encode())
    os.replace(draft, folder / f"{name}{_SUFFIX}")  # noqa: PTH105 - Path.replace says the same
    for old in _names(folder)[:-KEPT]:
        (folder / f"{old}{_SUFFIX}").unlink(missing_ok=True)
