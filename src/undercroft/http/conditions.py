"""Conditional requests (RFC 9110, 13): may what the client has be used again, or what it began be continued?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, Literal

Verdict = Literal["go on", "not modified", "failed"]
Headers = Callable[[bytes], bytes | None]
"""A request's header by its lower-case name."""

_LONGEST_DATE: Final = 64


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a file from another: a time in UTC, and a strong tag without its quotes, if any."""

    etag: str
    modified: datetime

    @property
    def quoted(self) -> str:
        return f'"{self.etag}"'

    @property
    def last_modified(self) -> str:
        """The time as a header has it, in whole seconds."""
        return format_datetime(self.modified.replace(microsecond=0), usegmt=True)


def judge(headers: Headers, has: Validators) -> Verdict:
    """Whether a GET or HEAD is to be answered as if it had no conditions."""
    if_match, since = _text(headers(b"if-match")), _date(headers(b"if-unmodified-since"))
    if if_match:
        if not _names(if_match, has, is_strong=True):
            return "failed"
    elif since is not None and _seconds(has.modified) > since:
        return "failed"
    if_none_match, since = _text(headers(b"if-none-match")), _date(headers(b"if-modified-since"))
    if if_none_match:
        return "not modified" if _names(if_none_match, has, is_strong=False) else "go on"
    return "not modified" if since is not None and _seconds(has.modified) <= since else "go on"


def may_continue(headers: Headers, has: Validators) -> bool:
    """Whether If-Range lets ranges be sent: it is absent, or names just this version."""
    told = _text(headers(b"if-range"))
    if not told:
        return True
    if told.startswith(('"', "W/")):
        return bool(has.etag) and told == has.quoted
    return _date(told.encode("latin-1")) == _seconds(has.modified)


def names_tag(raw: bytes, quoted: str, *, is_strong: bool) -> bool:
    """Whether If-Match (`is_strong`) or If-None-Match names a tag, given with its quotes, or any by `*`."""
    header = _text(raw)
    # Ours are hexadecimal, so no comma can be inside.
    ours = {quoted} if is_strong else {quoted, f"W/{quoted}"}
    return header == "*" or any(each.strip() in ours for each in header.split(","))


def _names(header: str, has: Validators, *, is_strong: bool) -> bool:
    return header == "*" or (bool(has.etag) and names_tag(header.encode("latin-1"), has.quoted, is_strong=is_strong))


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("latin-1").strip()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _date(raw: bytes | None) -> int | None:
    """The seconds of an HTTP date; None for everything else."""
    text = _text(raw)
    if not text or len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return _seconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
