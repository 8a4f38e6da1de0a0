"""Dates as the wire and the database write them: `2024-01-01 10:00:00.000Z`.

Always UTC, a space, exactly three digits of fraction and `Z`; empty is `""`.
Text in this form sorts as the moments it names do.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

_FORMS = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?)?",
)


def now() -> str:
    """This moment."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def moment_ago(seconds: float) -> str:
    """The moment so many seconds ago."""
    whole, milliseconds = divmod(time.time_ns() // 1_000_000 - int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Date text of a second since 1970, without its fraction; asked for again and again within it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def date_of(seconds: float) -> str:
    """Date text of a moment in seconds since 1970; `""` for 0."""
    return render_date(datetime.fromtimestamp(seconds, UTC)) if seconds else ""


def render_date(moment: datetime) -> str:
    """A moment with a time zone as date text."""
    # Not strftime: it leaves out the zeros that years before 1000 begin with.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds") + "Z"


def parse_date(text: str) -> str:
    """Date text for any accepted spelling; `""` when it is none.

    Accepted: the wire's own form, RFC 3339, the same without zone (UTC), a bare
    day, and RFC 5322 mail dates. Digits after the millisecond are cut.
    """
    moment = _parse_iso(text) or _parse_mail(text)
    return render_date(moment) if moment else ""


def _parse_iso(text: str) -> datetime | None:
    found = _FORMS.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    micro = (fraction or "0")[:3].ljust(3, "0") + "000"
    iso = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}.{micro}"
    try:
        return datetime.fromisoformat(iso + (zone if zone and zone != "Z" else "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _parse_mail(text: str) -> datetime | None:
    if not text[:1].isalpha():
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
