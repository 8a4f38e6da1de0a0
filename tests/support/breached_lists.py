"""Lists of breached passwords, as people download them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path


def line_of(password: str, end: str = "\n") -> str:
    """What a list has of a password."""
    return f"{sha1(password.encode(), usedforsecurity=False).hexdigest().upper()}:{len(password)}{end}"


def write_list(folder: Path, passwords: Iterable[str], end: str = "\n") -> Path:
    """A list of these passwords in a folder."""
    path = folder / "breached.txt"
    path.write_text("".join(sorted(line_of(password, end) for password in passwords)), encoding="ascii", newline="")
    return path
