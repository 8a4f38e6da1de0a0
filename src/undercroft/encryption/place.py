"""Where a sealed value stands: what it is bound to, so that it opens nowhere else."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Final

FORMAT: Final = b"uc1"  # the first part of what a value is bound to; another layout would have another
_length: Final = struct.Struct(">I").pack


@dataclass(frozen=True)
class FieldPlace:
    """A field, by ids, which outlive every name; a value of one field does not open in another."""

    app_id: str
    collection_id: str
    field_id: str

    @cached_property
    def prefix(self) -> bytes:
        """What all values of the field are bound to."""
        return frame(FORMAT, self.app_id.encode(), self.collection_id.encode(), self.field_id.encode())

    def associated_data(self, record_id: str) -> bytes:
        """What the field's value in one record is bound to."""
        encoded = record_id.encode()
        return self.prefix + _length(len(encoded)) + encoded


def frame(*parts: bytes) -> bytes:
    """The parts one after the other, each behind its length, so that no other parts give the same bytes."""
    return b"".join([_length(len(part)) + part for part in parts])
