"""A brief that was stored is told to the team by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.pages.storing import Storing

TEAM = "desk@fathom.example"


async def stored(record: Mapping[str, Any], storing: Storing) -> None:
    count = len(record["attachments"])
    files = f"\n\nWith {count} attachment{'s' if count != 1 else ''}." if count else ""
    text = (
        f"{record['name']} <{record['email']}> sent a brief.\n\n{record['message']}{files}\n\n"
        f"Read and answer it at {storing.request.origin}/desk/briefs/{record['id']}\n"
    )
    await storing.mail(TEAM, f"New brief from {record['name']}", text=text, reply_to=record["email"])
