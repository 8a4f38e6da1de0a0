"""Words that must not be found where data lie: as they are, in UTF-16, in base64 and in hex."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from undercroft.database.engine import Engine

CHUNK = 1 << 24


def forms(word: str) -> list[bytes]:
    """How a word may be written down. In base64 it depends on what stands before it, so all three are there."""
    raw = word.encode()
    shifted = [base64.b64encode(b"x" * before + raw)[4 if before else 0 : -4] for before in range(3)]
    urls = [form.replace(b"+", b"-").replace(b"/", b"_") for form in shifted]
    texts = [raw, word.encode("utf-16-le"), word.encode("utf-16-be")]
    return [*texts, raw.hex().encode(), raw.hex().upper().encode(), *shifted, *urls]


def find_words(place: Path, words: Iterable[str]) -> list[str]:
    """Which words are in the bytes of any file below a folder, each with the file it is in."""
    found = []
    wanted = {word: forms(word) for word in words}
    for file in sorted(path for path in place.rglob("*") if path.is_file()):
        content = file.read_bytes()
        found += [f"{word} in {file.name}" for word, ways in wanted.items() if any(way in content for way in ways)]
    return found


async def find_in_tables(engine: Engine, words: Iterable[str]) -> list[str]:
    """Which words are in any value of any table, each with the table it is in."""
    found = []
    wanted = {word: forms(word) for word in words}
    for (name,) in await engine.read(engine.dialect.list_tables()):
        for row in await engine.read(f"SELECT * FROM {engine.dialect.quote(str(name))}"):
            content = b"\n".join(_bytes(value) for value in row)
            found += [f"{word} in {name}" for word, ways in wanted.items() if any(way in content for way in ways)]
    return found


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
