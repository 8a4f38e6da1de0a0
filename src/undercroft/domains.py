"""Domains as DNS writes them, by IDNA 2008."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")
_DEVIATIONS: Final = re.compile("[\u00df\u03c2]")  # sharp s, and sigma at the end of a word
_JOINERS: Final = re.compile(
    "[\u200c\u200d]"
)  # these mean something in a few scripts alone, and are left out elsewhere
_LONGEST_LABEL: Final = 63  # RFC 1035, 2.3.4


def ascii_domain(domain: str) -> str:
    """The domain in ASCII; one that is already stays as it is. Raises `UnicodeError`.

    By the older rules a letter to somebody at `faß.example` would go to `fass.example`, which is somebody else's.
    """
    if domain.isascii():
        return domain
    labels = _DOTS.split(normalize("NFC", domain.lower()))
    if _JOINERS.search(domain) or "" in labels:
        raise UnicodeError(domain)
    return ".".join(
        _ascii_label(label) if _DEVIATIONS.search(label) else label.encode("idna").decode() for label in labels
    )


def _ascii_label(label: str) -> str:
    _DEVIATIONS.sub("a", label).encode("idna")  # refuses what else may not stand there
    encoded = f"xn--{label.encode('punycode').decode()}"
    if len(encoded) > _LONGEST_LABEL:
        raise UnicodeError(label)
    return encoded
