"""Whether a text is a cron expression: five fields, or a macro."""

from __future__ import annotations

from typing import Final

from undercroft.errors import FieldError

MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_BOUNDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_FORM: Final = "Invalid cron expression - must be a valid macro or to have exactly 5 space separated segments."
_RANGE: Final = "Invalid segment value - must be between the min and max of the segment."
_STEP: Final = "Invalid segment step - must be between 1 and the max of the segment."
_SEGMENT: Final = "Invalid segment - must be *, a number, a range or a list of them, with an optional step."


def check_cron(text: str) -> FieldError | None:
    """Why a text is no cron expression, or None."""
    if text in MACROS:
        return None
    segments = text.split(" ")
    if len(segments) != len(_BOUNDS):
        return _error(_FORM)
    for segment, (least, most) in zip(segments, _BOUNDS, strict=True):
        for part in segment.split(","):
            reason = _check_part(part, least, most)
            if reason:
                return _error(reason)
    return None


def _check_part(part: str, least: int, most: int) -> str:
    """Why a part of a segment is wrong, or nothing."""
    span, slash, step = part.partition("/")
    if slash and not (_is_number(step) and 1 <= int(step) <= most):
        return _STEP
    if span == "*":
        return ""
    first, dash, last = span.partition("-")
    if not _is_number(first) or (dash and not _is_number(last)):
        return _SEGMENT
    start, end = int(first), int(last) if dash else int(first)
    return "" if least <= start <= end <= most else _RANGE


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4


def _error(text: str) -> FieldError:
    return FieldError("validation_invalid_cron", text)
