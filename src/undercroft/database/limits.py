"""What an engine can hold, for those who bring data from another one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one engine; 0 means that there is none.

    With `is_typed` a column takes values of its kind only; without, it keeps whatever
    it is given. `key_bytes` bounds what one entry of an index may hold, where each of the
    characters U+0000, U+0001 and U+0002 takes `control_bytes`.
    """

    engine: str
    is_typed: bool = False
    key_bytes: int = 0
    control_bytes: int = 1
