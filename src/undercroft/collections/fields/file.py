"""File: names of uploaded files. The bytes are kept by the file store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from undercroft.collections.fields.base import Stored
from undercroft.collections.fields.checks import drop_empty, matches, range_error
from undercroft.collections.fields.choices import ChoiceField
from undercroft.errors import FieldError

_THUMB: Final = r"^(?:\d+x\d+[tbf]?)$"
_NO_THUMB: Final = ("0x0", "0x0t", "0x0b", "0x0f")


class EncryptedFiles(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How the files of a field are encrypted. `true` in a definition means all of the defaults.

    With `hide_names` what a file was called cannot be told from the name that its record has.
    """

    hide_names: bool = False


class FileField(ChoiceField, frozen=True, kw_only=True):
    """Names of files, at most `max_size` bytes each; 0 means 5 MiB."""

    type: ClassVar[str] = "file"

    max_size: int = 0
    mime_types: tuple[str, ...] = ()
    thumbs: tuple[str, ...] = ()
    protected: bool = False
    encrypted: bool | EncryptedFiles | UnsetType = UNSET

    @property
    def is_encrypted(self) -> bool:
        """Whether new files are stored encrypted."""
        return self.encrypted is True or isinstance(self.encrypted, EncryptedFiles)

    @property
    def hides_names(self) -> bool:
        """Whether new files get names that tell nothing."""
        return isinstance(self.encrypted, EncryptedFiles) and self.encrypted.hide_names

    def check_value(self, value: Stored) -> FieldError | None:
        most = max(self.max_select, 1)
        if len(self.to_list(value)) <= most:
            return None
        text = f"The maximum allowed files is {most}."
        return FieldError("validation_too_many_files", text, {"maxSelect": most})

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "maxSelect": range_error(self.max_select),
                "maxSize": range_error(self.max_size),
                "thumbs": drop_empty({str(n): _check_thumb(thumb) for n, thumb in enumerate(self.thumbs)}),
            }
        )


def _check_thumb(thumb: str) -> FieldError | None:
    if thumb in _NO_THUMB:
        return FieldError("validation_not_in_invalid", "Must not be in list.")
    return None if matches(_THUMB, thumb) else FieldError("validation_match_invalid", "Must be in a valid format.")
