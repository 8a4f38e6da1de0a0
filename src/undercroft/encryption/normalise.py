"""When two values are the same to whoever looks one up: text in the spelling that all of them share.

Each of these is total, and changes nothing the second time. The spelling is looked up, never shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Final, Literal

from undercroft.domains import ascii_domain

Normaliser = Literal["exact", "email", "casefold", "digits"]


def normalise(how: Normaliser, text: str) -> str:
    """The spelling that all texts have that are the same in that way."""
    return _WAYS[how](text)


def _exact(text: str) -> str:
    return text


def _email(text: str) -> str:
    """Without spaces around it, in lower case, its domain as DNS has it; one that cannot be stays lower case."""
    lower = _settled(_lower, text.strip())
    local, at, domain = lower.rpartition("@")
    if not at or domain.isascii():
        return lower
    try:
        return local + at + ascii_domain(domain)
    except UnicodeError:
        return lower


def _casefold(text: str) -> str:
    """Without differences of case, width or ligature."""
    return text.lower() if text.isascii() else _settled(_fold, text)


def _digits(text: str) -> str:
    """Letters and digits alone, letters in one case: spaces, signs, brackets and a leading plus go.

    So `+49 (30) 1234-5` and `4930 12345` are the same, and so are two spellings of an IBAN, which has letters.
    A leading 00 is not taken for a plus: what would then be the same depends on the country.
    """
    return _settled(_bare, _casefold(text))


def _lower(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _bare(text: str) -> str:
    return _fold("".join(_digit(mark) for mark in text if mark.isalnum()))


def _digit(mark: str) -> str:
    value = unicodedata.decimal(mark, None)
    return mark if value is None else str(value)


def _settled(change: Callable[[str], str], text: str) -> str:
    """The text after as many changes as it takes until there is nothing more to change."""
    while (changed := change(text)) != text:
        text = changed
    return text


_WAYS: Final[Mapping[Normaliser, Callable[[str], str]]] = {
    "exact": _exact,
    "email": _email,
    "casefold": _casefold,
    "digits": _digits,
}
