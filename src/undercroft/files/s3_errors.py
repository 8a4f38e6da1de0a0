"""What a server of buckets says when it does not do what it should, told in our words.

Its answer can quote our request, the access key included, so of all it says only its
code and the first words of its message go further, and those only to the operator.
"""

from __future__ import annotations

import re
from typing import Final

from obstore.exceptions import BaseError, NotFoundError

from undercroft.files.store import NoSuchFile, StoreUnavailable

_ANSWER: Final = re.compile(r"non-2xx status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,200})")
_KIND: Final = re.compile(r"kind: (\w+)")
_REFUSED: Final = 403
_BUSY: Final = 429
_FAULT: Final = 500
_CODES: Final = {
    "RequestTimeTooSkewed": "the clocks of this machine and of the storage differ too much",
    "NoSuchBucket": "the bucket does not exist",
    "InvalidAccessKeyId": "the storage does not know our access key",
    "SignatureDoesNotMatch": "the storage does not accept our secret",
}
_REASONS: Final = {"Connect": "it cannot be reached", "Timeout": "it did not answer in time"}
_PATIENCE: Final = {
    "RequestTimeTooSkewed": 60,
    "NoSuchBucket": 60,
    "InvalidAccessKeyId": 60,
    "SignatureDoesNotMatch": 60,
}

FAULTS: Final = (BaseError, FileNotFoundError, PermissionError, OSError)


def is_missing(error: Exception) -> bool:
    """Whether the server says that there is no such file."""
    return isinstance(error, (NotFoundError, FileNotFoundError)) and _code(str(error)) in ("", "NoSuchKey")


def is_passing(error: Exception) -> bool:
    """Whether the same request may well succeed a moment later; one that took too long has taken long enough."""
    text = str(error)
    answer = _answer(text)
    if answer:
        return answer >= _FAULT or answer == _BUSY
    return _kind(text) != "Timeout" and not isinstance(error, (FileNotFoundError, PermissionError))


def told(error: Exception, key: str = "") -> NoSuchFile | StoreUnavailable:
    """The problem that an error is. Callers are not told where the storage is; the operator is, in its detail."""
    if is_missing(error):
        return NoSuchFile()
    text = str(error)
    code, answer = _code(text), _answer(text)
    reason = _CODES.get(code) or _reason(text, answer)
    message = found[1] if (found := _MESSAGE.search(text)) else ""
    detail = f"The file storage failed at {key!r}: {reason}" + (f" ({code}: {message})" if code else "") + "."
    return StoreUnavailable(
        f"The file storage is not available: {reason}. Try again.", _PATIENCE.get(code, 2), detail=detail
    )


def _reason(text: str, answer: int) -> str:
    if answer == _REFUSED:
        return "it refuses our keys, what they are used for, or our clock"
    if answer:
        return f"it answered with {answer}"
    return _REASONS.get(_kind(text), "the connection broke")


def _kind(text: str) -> str:
    return next((kind for kind in _KIND.findall(text) if kind in _REASONS), "")


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else ""


def _answer(text: str) -> int:
    found = _ANSWER.search(text)
    return int(found[1]) if found else 0
