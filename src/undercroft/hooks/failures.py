"""What can go wrong with hooks, for those who call and for those who wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft.errors import BadRequest, FieldError, Problem, Unavailable


class BadHooks(Problem):
    """A file of hooks cannot be used; the sentence says which line of which file."""

    code = "bad_hooks"


class HookFailed(Problem):
    """A hook raised what is no problem of the caller's. The log has it, under the request's id."""

    code = "hook_failed"


class HookRefused(BadRequest):
    """A hook does not allow it, and says why."""

    code = "hook_refused"
    default = "This is not allowed."

    def __init__(self, text: str = "", errors: Mapping[str, FieldError] | None = None) -> None:
        data: Mapping[str, Any] = errors or {}
        super().__init__(text, data)


class HookTimeout(Unavailable):
    """The hooks of a change took longer than they may, and it was undone."""

    code = "hook_timeout"
    default = "The change took too long and was undone. Try again in a moment."


class HooksBusy(Unavailable):
    """More hooks that are plain functions wait for a thread than there will be threads."""

    code = "hooks_busy"
    default = "The server has much to do. Try again in a moment."


class HookMisuseError(Exception):
    """A hook asks for what cannot be; its author is told, callers hear of a failed hook."""

    code: ClassVar[str] = ""
