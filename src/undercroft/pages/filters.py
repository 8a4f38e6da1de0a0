"""Filters and functions of templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from undercroft.records.rows import read_moment
from undercroft.templating.markdown import render_markdown, sanitize

_TAGS: Final = re.compile(r"<[^>]*>")
_PADDED: Final = "dmHIMSjy"
_SPACES: Final = re.compile(r"\s+")


def show_date(value: Any, form: str = "%Y-%m-%d", zone: str = "") -> str:
    """A date as text; `form` is one of `strftime`, `zone` such as `Europe/Vienna`. Empty for what is empty.

    `%-d` and its kin, which leave out a leading zero, work on every system.
    """
    moment = _as_date(value)
    if moment is None:
        return ""
    if zone and isinstance(moment, datetime):
        moment = moment.astimezone(ZoneInfo(zone))
    return _format(moment, form)


@lru_cache(maxsize=4096)
def _format(moment: date, form: str) -> str:
    """A date in a form; kept, for a list shows the same ones at every visit and making them is slow."""
    for letter in _PADDED if "%-" in form else "":
        form = form.replace(f"%-{letter}", moment.strftime(f"%{letter}").lstrip("0") or "0")
    return moment.strftime(form)


def iso_date(value: Any) -> str:
    """A date as machines read it: RFC 3339, for `<time datetime>` and feeds."""
    moment = _as_date(value)
    if moment is None:
        return ""
    return moment.isoformat(timespec="seconds") if isinstance(moment, datetime) else moment.isoformat()


def markdown(value: Any) -> Markup:
    """Markdown as HTML, sanitised, so that anybody may have written it."""
    return render_markdown(str(value or ""))


def html(value: Any) -> Markup:
    """HTML, such as that of an editor field, sanitised."""
    return sanitize(str(value or ""))


def plain(value: Any, length: int = 0) -> str:
    """The text of HTML without its tags; at most `length` characters, cut at a word, when that is given."""
    text = Markup(_SPACES.sub(" ", _TAGS.sub(" ", str(value or ""))).strip()).unescape()  # noqa: S704 - becomes plain text
    if not length or len(text) <= length:
        return text
    return text[: length - 1].rpartition(" ")[0].rstrip(".,;:") + "…"


FILTERS: Final[Mapping[str, Any]] = {
    "date": show_date,
    "iso": iso_date,
    "markdown": markdown,
    "html": html,
    "plain": plain,
}


def _as_date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return value if isinstance(value, date) else read_moment(value)
