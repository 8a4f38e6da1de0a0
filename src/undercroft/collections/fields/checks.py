"""Checks that several field types share, and the errors they make."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import re2

from undercroft.errors import FieldError

MAX_SAFE_INTEGER = 2**53 - 1
_EMPTY = FieldError("validation_empty", "Must be blank.")


class PatternError(ValueError):
    """A pattern is no RE2 expression; the text says why."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Any:
    """The pattern as a linear-time RE2 expression. Raises `PatternError`."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        raise PatternError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error


def pattern_error(pattern: str) -> FieldError | None:
    """Why a pattern cannot be used, or None."""
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return FieldError("validation_invalid_regex", f"Error parsing regexp: {error}.")
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return compile_pattern(pattern).search(text) is not None


def too_small(least: float) -> FieldError:
    """The value is below its bound."""
    text = f"Must be no less than {least}."
    return FieldError("validation_min_greater_equal_than_required", text, {"threshold": least})


def too_big(most: float) -> FieldError:
    """The value is above its bound."""
    text = f"Must be no greater than {most}."
    return FieldError("validation_max_less_equal_than_required", text, {"threshold": most})


def range_error(value: int, least: int = 0, most: int = MAX_SAFE_INTEGER) -> FieldError | None:
    """Why a whole number option is outside its range, or None."""
    if value < least:
        return too_small(least)
    return too_big(most) if value > most else None


def length_error(text: str, least: int, most: int) -> FieldError | None:
    """Why a text is too short or too long, or None."""
    if least <= len(text) <= most:
        return None
    message = f"The length must be between {least} and {most}."
    return FieldError("validation_length_out_of_range", message, {"min": least, "max": most})


def size_error(text: str, limit: int, code: str, what: str) -> FieldError | None:
    """Why a text has too many bytes, or None."""
    if len(text) * 4 <= limit or len(text.encode()) <= limit:
        return None
    return FieldError(code, f"The maximum allowed {what} size is {limit} bytes.", {"maxSize": limit})


def drop_empty(errors: Mapping[str, Any]) -> dict[str, Any]:
    """Only the entries that hold an error."""
    return {name: error for name, error in errors.items() if error}


def domain_lists_errors(excepted: tuple[str, ...], only: tuple[str, ...]) -> dict[str, Any]:
    """Errors in a pair of domain lists, of which one at most may be filled."""
    if excepted and only:
        return {"exceptDomains": _EMPTY, "onlyDomains": _EMPTY}
    return drop_empty({"exceptDomains": _domain_errors(excepted), "onlyDomains": _domain_errors(only)})


def is_domain_allowed(domain: str, excepted: tuple[str, ...], only: tuple[str, ...]) -> bool:
    """Whether a pair of domain lists lets a domain pass."""
    return domain not in excepted and (not only or domain in only)


def _domain_errors(domains: tuple[str, ...]) -> dict[str, FieldError]:
    error = FieldError("validation_is_domain", "Must be a valid domain.")
    return {str(n): error for n, domain in enumerate(domains) if not _is_domain(domain)}


def _is_domain(text: str) -> bool:
    label = r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
    return len(text) <= 255 and matches(rf"^(?:{label}\.)*{label}\.?$", text) and "." in text
