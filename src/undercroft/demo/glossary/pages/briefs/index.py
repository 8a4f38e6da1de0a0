"""A brief that was stored is told to the team by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.pages.storing import Storing

TEAM = "desk@fathom.example"


async def stored(record: Mapping[str, Any], storing: Storing) -> None:
    count = len(record["attachments"])
    files = f"\n\nWith {count} attachment{'s' if count != 1 else ''}." if count else ""
    # What it says is encrypted here, and a letter is not.
    text = (
        f"{record['name']} sent a brief.{files}\n\n"
        f"Read and answer it at {storing.request.origin}/desk/briefs/{record['id']}\n"
    )
    await storing.mail(TEAM, f"New brief from {record['name']}", text=text)
