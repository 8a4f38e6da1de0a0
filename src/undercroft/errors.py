"""What can go wrong, as values: one class a situation, raised with facts.

The classes here are the families. Each situation has its own class beside the
code that meets it, with a `code` that is part of the API and never changes.
Only `middleware.errors` turns them into responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar


class Problem(Exception):
    """Something the caller is told about, in one sentence made from facts."""

    code: ClassVar[str] = "problem"
    default: ClassVar[str] = "Something went wrong while processing your request."

    def __init__(self, text: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.data: Mapping[str, Any] = data or {}

    def message(self) -> str:
        return self.text or self.default

    def __str__(self) -> str:
        return self.message()


class BadRequest(Problem):
    """The request cannot be understood or is not valid."""

    code = "bad_request"


class Unauthenticated(Problem):
    """The request needs a caller who is known."""

    code = "unauthenticated"
    default = "The request requires valid record authorization token."


class Forbidden(Problem):
    """The caller is known well enough to be told no."""

    code = "forbidden"
    default = "You are not allowed to perform this request."


class NotFound(Problem):
    """There is nothing there, or nothing this caller may know of."""

    code = "not_found"
    default = "The requested resource wasn't found."


class Conflict(Problem):
    """What is there is not as the request takes it to be; ask again, then try again."""

    code = "conflict"


class Gone(Problem):
    """What was there is there no more, and does not come back."""

    code = "gone"


class Locked(Problem):
    """Somebody else is at it."""

    code = "locked"


class MethodNotAllowed(Problem):
    """There is something there, and it does not take this method; `allowed` are those it takes."""

    code = "method_not_allowed"
    default = "This address does not take that kind of request."

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class PreconditionFailed(Problem):
    """What the request was made for is not there any more as it was."""

    code = "precondition_failed"


class Unprocessable(Problem):
    """The request can be read, and contradicts another one."""

    code = "unprocessable"


class TooLarge(Problem):
    """The body is larger than the limit."""

    code = "too_large"
    default = "Request entity too large."


class TooMany(Problem):
    """The caller asked too often; `retry_after` is in seconds, 0 when nobody can say."""

    code = "too_many"
    default = "Too Many Requests."

    def __init__(self, text: str = "", retry_after: int = 0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unavailable(Problem):
    """The server cannot do this now; `retry_after` is in seconds."""

    code = "unavailable"
    default = "The server is busy. Try again in a moment."

    def __init__(self, text: str = "", retry_after: int = 1) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class StorageFull(Problem):
    """The disk or a quota is full."""

    code = "storage_full"
    default = "The server has no space left to store this."


class Unreadable(Problem):
    """What is stored cannot be read as it was written; no other request would help. `detail` is for the log alone."""

    code = "unreadable"
    default = "What is stored cannot be read."

    def __init__(self, text: str = "", detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why one value was refused: a stable code, a sentence, and the facts of the sentence."""

    code: str
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Invalid(BadRequest):
    """Values were refused. `data` maps names to `FieldError`s, nested as the input was."""

    code = "invalid"
    default = "An error occurred while validating the submitted data."

    def __init__(self, data: Mapping[str, Any], text: str = "") -> None:
        super().__init__(text, data)


REQUIRED = FieldError("validation_required", "Cannot be blank.")


def did_you_mean(name: str, known: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """A hint with the nearest known name, or nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
