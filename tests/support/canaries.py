"""Texts that must not be found anywhere on a disk or in a database, in whichever form they may have got there."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

from undercroft.database.engine import Engine


def new_canary() -> str:
    """A text that nothing else has in it."""
    return f"canary-{token_hex(12)}"


def forms(canary: str) -> Iterator[tuple[str, bytes]]:
    """The ways in which a text may stand in other bytes, by their names."""
    raw = canary.encode()
    yield "raw", raw
    yield "UTF-16, little end first", canary.encode("utf-16-le")
    yield "UTF-16, big end first", canary.encode("utf-16-be")
    yield "hex", raw.hex().encode()
    yield "hex, in capitals", raw.hex().upper().encode()
    for shift in range(3):
        # What stands before and behind it in a text that was encoded changes its edges alone.
        encoded = b64encode(bytes(shift) + raw)[4 if shift else 0 : -4]
        yield f"Base64, shifted by {shift}", encoded
        yield f"Base64 of URLs, shifted by {shift}", encoded.replace(b"+", b"-").replace(b"/", b"_")


def sightings(canaries: Iterable[str], contents: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where any of the texts stands in which form."""
    wanted = [(canary, form, pattern) for canary in canaries for form, pattern in forms(canary)]
    return [
        f"{canary} in {place} ({form})"
        for place, content in contents
        for canary, form, pattern in wanted
        if pattern in content or pattern in place.encode()
    ]


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that is in a folder, by path."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


async def rows_of(engine: Engine) -> list[tuple[str, bytes]]:
    """All rows of a database, by table, each as the values it has."""
    rows = []
    for (name,) in await engine.read(engine.dialect.list_tables()):
        found = await engine.read(f"SELECT * FROM {engine.dialect.quote(str(name))}")
        rows += [(str(name), b"\n".join(map(_bytes, row))) for row in found]
    return rows


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
