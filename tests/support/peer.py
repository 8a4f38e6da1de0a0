"""Cases that are put to two servers, whose answers must be the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from servers import Server

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z")
_STAMPS = ("created", "updated")
_WORDS = ("message", "help")


@dataclass(frozen=True)
class Case:
    """One request, and what was done before it; `path` is below `/api/collections`."""

    name: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    method: str = "GET"
    body: Any = None
    caller: str = "guest"
    before: tuple[Case, ...] = ()

    def __str__(self) -> str:
        return self.name


def ask(server: Server, case: Case) -> tuple[int, Any]:
    """The status, and the JSON of the answer without what may differ from run to run."""
    for earlier in case.before:
        ask(server, earlier)
    answer = server.call(case.method, f"/api/collections{case.path}", case.body, case.caller, params=case.query)
    return answer.status_code, settle(answer.json()) if answer.content else None


def settle(value: Any, key: str = "") -> Any:
    """The value with moments, tokens and wording replaced by what they are."""
    if isinstance(value, dict):
        return {name: settle(item, name) for name, item in sorted(value.items()) if name not in _WORDS}
    if isinstance(value, list):
        return [settle(item) for item in value]
    if key in _STAMPS and isinstance(value, str) and _DATE.fullmatch(value):
        return "a moment"
    return "a token" if key == "token" else value
