"""A file that came with a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file. `filename` and `content_type` are what the client says: trust neither.

    `file` is open at its start, in memory or, when large, on disk; it is gone once closed.
    """

    filename: str
    content_type: str
    size: int
    file: IO[bytes]
