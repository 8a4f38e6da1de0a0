"""What carries letters away: the protocol, and how it says that it could not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from undercroft.errors import Problem

_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Posted:
    """A letter on its way to one recipient: the envelope, and the message as it is sent."""

    id: str
    kind: str
    sender: str
    recipient: str
    content: str


class NotSent(Problem):
    """A letter did not get through.

    With `is_final` it never will, for the recipient or the letter was refused. With
    `is_general` no other would have got through either: the server is away, or refuses us.
    """

    code = "mail_not_sent"

    def __init__(self, reason: str, *, is_final: bool = False, is_general: bool = False) -> None:
        super().__init__(re.sub(r"\s+", " ", reason).strip()[:_LONGEST])
        self.is_final = is_final
        self.is_general = is_general


class Carrier(Protocol):
    """Takes a letter to where its recipient's mail goes."""

    async def carry(self, posted: Posted) -> str:
        """Hand the letter over; what was answered. Raises `NotSent`."""
        ...
