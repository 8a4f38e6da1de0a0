"""Names that uploaded files are stored under: readable, safe everywhere, never guessable."""

from __future__ import annotations

import re

from undercroft.files.sniff import extension_for
from undercroft.ids import RECORD_ID_ALPHABET, random_text

_RANDOM = 10
_LONGEST_BASE = 100
_LONGEST_EXTENSION = 20
_SHORTEST_BASE = 3
_NOT_WORD = re.compile(r"[^a-zA-Z0-9]+")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_NOT_EXTENSION = re.compile(r"[^\w*\-+=#]+", re.ASCII)


def stored_name(original: str, mime: str) -> str:
    """A new name for a file that came as `original` with content of a media type: `base_0a1b2c3d4e.ext`."""
    base, extension = _split(original.rstrip("/").rpartition("/")[2])
    return f"{_clean_base(base)}_{_random()}{extension or extension_for(mime)}"


def _split(name: str) -> tuple[str, str]:
    """The base and the extension: the last one, or the last two when there are two dots."""
    parts = name.split(".")
    count = min(len(parts) - 1, 2)
    base, last = parts[: len(parts) - count], parts[len(parts) - count :]
    cleaned = [text for part in last if (text := _NOT_EXTENSION.sub("", part))]
    extension = ".".join(cleaned)[-_LONGEST_EXTENSION:].strip(".")
    return ".".join(base), f".{extension}" if extension else ""


def _clean_base(base: str) -> str:
    words = _CAMEL.sub(r"\1_\2", _NOT_WORD.sub("_", base)).lower().strip("_")
    words = words[:_LONGEST_BASE]
    return words if len(words) >= _SHORTEST_BASE else words + _random()


def _random() -> str:
    return random_text(_RANDOM, RECORD_ID_ALPHABET)
