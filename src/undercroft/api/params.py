"""Query parameters of the record endpoints, parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from undercroft.errors import BadRequest
from undercroft.http.fields import plain_keys
from undercroft.records.read import ListParams

DEFAULT_PER_PAGE: Final = 30
MAX_PER_PAGE: Final = 1000
_LARGEST: Final = 2**63 - 1
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("", "0", "f", "F", "false", "FALSE", "False"))


class BadParameter(BadRequest):
    """A query parameter has a value that cannot be read."""

    code = "bad_parameter"

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(f"The query parameter {name!r} must be {wanted}.")


def list_params(query: Mapping[str, str]) -> ListParams:
    """What a list request asks for. Raises `BadParameter`."""
    page = read_page(query)
    per_page = read_per_page(query)
    return ListParams(
        page=min(page, _LARGEST // per_page),
        per_page=per_page,
        skip_total=_flag(query, "skipTotal"),
        filter=query.get("filter", ""),
        sort=query.get("sort", ""),
        expand=query.get("expand", ""),
        keys=_keys(query),
    )


def _keys(query: Mapping[str, str]) -> frozenset[str] | None:
    """The keys to select, when the caller names plain ones and expands nothing."""
    fields = query.get("fields", "")
    return plain_keys(fields) if fields and not query.get("expand") else None


def read_page(query: Mapping[str, str]) -> int:
    """The page, at least 1."""
    return max(_integer(query, "page"), 1)


def read_per_page(query: Mapping[str, str]) -> int:
    """Items a page: 30 unless given, at most 1,000."""
    asked = _integer(query, "perPage")
    return min(asked, MAX_PER_PAGE) if asked > 0 else DEFAULT_PER_PAGE


def _integer(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        raise BadParameter(name, "a whole number")
    value = int(text)
    if abs(value) > _LARGEST:
        raise BadParameter(name, "a whole number below 2^63")
    return value


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "")
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadParameter(name, "true or false")
