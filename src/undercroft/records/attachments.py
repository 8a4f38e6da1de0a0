"""Files that come with a record: named and staged before its transaction, attached inside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from undercroft.collections.fields.file import FileField
from undercroft.errors import FieldError
from undercroft.files.sniff import matches_type

DEFAULT_MAX_SIZE = 5 * 1024 * 1024


@dataclass(frozen=True)
class NewFile:
    """An uploaded file in staging. `name` is what it will be stored as, `type` what its content is."""

    name: str
    original_name: str
    size: int
    type: str
    staged: Path

    @cached_property
    def shown(self) -> dict[str, Any]:
        """What rules see of it."""
        return {"name": self.name, "originalName": self.original_name, "size": self.size, "type": self.type}


def check_new_file(field: FileField, file: NewFile) -> FieldError | None:
    """Why a field refuses an uploaded file, or None."""
    most = field.max_size or DEFAULT_MAX_SIZE
    if file.size > most:
        text = f"Failed to upload {file.original_name!r} - the maximum allowed file size is {most} bytes."
        return FieldError("validation_file_size_limit", text, {"file": file.original_name, "maxSize": most})
    if field.mime_types and not any(matches_type(file.type, wanted) for wanted in field.mime_types):
        allowed = ", ".join(field.mime_types)
        text = f"{file.original_name!r} mime type must be one of: {allowed}."
        return FieldError("validation_invalid_mime_type", text)
    return None
