"""Passwords that are known from breaches: a sorted list in a file, looked up where it lies.

The file is what people can download of such passwords, ordered by hash: lines `SHA1:COUNT`, the hash in
hexadecimal. It may be far larger than memory, so nothing of it is kept: a look-up halves it by reading short
pieces until what is left is one block. Pieces are read by position and not mapped, so that a file that shrinks
is an error and does not end the process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Final

from undercroft.errors import Unreadable
from undercroft.passwords import encode_password

_LINE: Final = re.compile(rb"([0-9A-Fa-f]{40}):[0-9]{1,12}\r?")
_PIECE: Final = 256  # bytes, of which the longest line is a quarter
_BLOCK: Final = 4096
_SMALL: Final = 4 * 2**20  # bytes that are checked at start from the first to the last
_SAMPLES: Final = 200
_NO_LINES: Final = "has lines that are no SHA1:COUNT, or none at all"


class BadPasswordList(Unreadable):
    """The list of breached passwords cannot be read, or is not one."""

    code = "bad_password_list"
    default = "The list of breached passwords cannot be read."


class BreachedPasswords:
    """A list in a file, which another one may take the place of at any time.

    Looking up blocks: call from `auth.passwords.PasswordPool` only.
    """

    def __init__(self, path: Path) -> None:
        """Look whether there is a list. Raises `BadPasswordList` when it is missing, malformed or not sorted.

        A small one is checked whole, of a large one its ends and pieces from all over.
        """
        self._path = path
        with self._opened() as opened:
            opened.check()

    def holds(self, password: str) -> bool:
        """Whether a password is on the list. Raises `UnusablePassword` and `BadPasswordList`."""
        wanted = digest_of(encode_password(password)).hex().upper().encode()
        with self._opened() as opened:
            return opened.holds(wanted)

    @contextmanager
    def _opened(self) -> Iterator[_Opened]:
        try:
            with self._path.open("rb", buffering=0) as file:
                yield _Opened(file.fileno(), os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise BadPasswordList(detail=self._told(f"cannot be read: {error.strerror}")) from error
        except _FaultyError as fault:
            raise BadPasswordList(detail=self._told(str(fault))) from fault

    def _told(self, what: str) -> str:
        hint = "A plain list becomes one by: undercroft passwords prepare LIST FILE."
        return f"The list of breached passwords {self._path} {what}. {hint}"


def open_breached(path: str) -> BreachedPasswords | None:
    """The list at a path; none for the empty path. Raises `BadPasswordList`."""
    return BreachedPasswords(Path(path)) if path else None


class _FaultyError(Exception):
    """What is wrong with the content of a list."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The file of a list."""

    descriptor: int
    size: int

    def holds(self, wanted: bytes) -> bool:
        # If it is there, its line begins at or after `low`, where a line begins, and before `high`.
        low, high = 0, self.size
        while high - low > _BLOCK:
            middle = (low + high) // 2
            start, found = self._next_line(middle)
            if found <= wanted:
                low = start
            else:
                high = middle + 1
        block = os.pread(self.descriptor, high - low + _PIECE, low)
        return b"\n%s:" % wanted in b"\n" + block.upper()

    def check(self) -> None:
        last = b""
        for lines in self._pieces():
            for line in lines:
                found = _hash_in(line)
                if found < last:
                    raise _FaultyError("is not sorted by hash")
                last = found

    def _next_line(self, position: int) -> tuple[int, bytes]:
        """Where the first line after a position begins, and its hash."""
        piece = os.pread(self.descriptor, _PIECE, position)
        begins = piece.find(b"\n") + 1
        line, _, _ = piece[begins:].partition(b"\n")
        return position + begins, _hash_in(line)

    def _pieces(self) -> Iterator[list[bytes]]:
        """Whole lines from all over the file, in their order, its first and its last one among them."""
        if self.size <= _SMALL:
            yield self._lines(0, self.size)
            return
        for sample in range(_SAMPLES):
            yield self._lines(self.size * sample // _SAMPLES, _PIECE)
        yield self._lines(self.size - _PIECE, _PIECE)

    def _lines(self, position: int, length: int) -> list[bytes]:
        """The whole lines in a part of the file."""
        lines = os.pread(self.descriptor, length, position).split(b"\n")
        if position:
            del lines[0]
        is_at_end = position + length >= self.size
        if lines and (not is_at_end or not lines[-1]):
            del lines[-1]
        if not lines:
            raise _FaultyError(_NO_LINES)
        return lines


def _hash_in(line: bytes) -> bytes:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _FaultyError(_NO_LINES)
    return found[1].upper()


def digest_of(secret: bytes) -> bytes:
    """What such lists have of a password, as bytes."""
    return sha1(secret, usedforsecurity=False).digest()
