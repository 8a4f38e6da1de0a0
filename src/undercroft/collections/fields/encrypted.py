"""The option `encrypted`: how the values of a field are sealed, and how they can be looked up."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from undercroft.collections.fields.base import ValueField

Search = Literal["none", "equality"]
Normalize = Literal["exact", "email", "casefold", "digits"]
Algorithm = Literal["AES-256-GCM", "AES-256-GCM-SIV"]


class Encrypted(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a field is encrypted. `true` in a definition means all of the defaults.

    `search`: with `equality` a value can be looked up, and be unique. `normalize`: which spellings are then
    the same. `pad`: lengths are rounded up to a multiple of so many bytes. `allow_leakage`: look-ups also where
    there are so few different values that counting them tells something. `shred`: the relation field that names
    whose values these are; each is sealed with a key of that record, and gone with it.
    """

    search: Search = "none"
    normalize: Normalize = "exact"
    pad: int = 0
    allow_leakage: bool = False
    algorithm: Algorithm = "AES-256-GCM"
    shred: str = ""


class SealableField(ValueField, frozen=True, kw_only=True):
    """A field whose values can be encrypted."""

    encrypted: bool | Encrypted | UnsetType = UNSET


def encryption_of(field: Any) -> Encrypted | None:
    """How the values of a field are to be encrypted; None when they are not, as of a file field, whose are names."""
    if field.type == "file":
        return None
    wanted = getattr(field, "encrypted", UNSET)
    if isinstance(wanted, Encrypted):
        return wanted
    return Encrypted() if wanted is True else None
