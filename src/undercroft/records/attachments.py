"""Files that come with a record: named before its transaction, and put where they will stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.errors import FieldError
from undercroft.files.names import stored_name
from undercroft.files.sniff import bare_type, matches_type
from undercroft.files.staging import Wanted
from undercroft.files.store import Facts
from undercroft.http.upload import Upload

DEFAULT_MAX_SIZE = 5 * 1024 * 1024


@dataclass(frozen=True)
class NewFile:
    """An uploaded file. `name` is what it will be stored as, `type` what its content is."""

    name: str
    upload: Upload

    @property
    def original_name(self) -> str:
        return self.upload.filename

    @property
    def size(self) -> int:
        return self.upload.size

    @property
    def type(self) -> str:
        return self.upload.type

    @property
    def facts(self) -> Facts:
        """What the store is told of it."""
        return Facts(self.type, self.upload.md5, self.original_name)

    @cached_property
    def shown(self) -> dict[str, Any]:
        """What rules see of it."""
        return {
            "name": self.name,
            "originalName": self.original_name,
            "size": self.size,
            "type": bare_type(self.type),
        }


@dataclass(frozen=True, slots=True)
class Placed:
    """A new file, where it waits, the key that it will have in the store, and whether it shall be encrypted there."""

    key: str
    file: NewFile
    path: Path
    is_encrypted: bool = False


def name_files(collection: Collection, uploads: Mapping[str, Sequence[Upload]]) -> dict[str, list[NewFile]]:
    """The files of a submission with the names they will have."""
    hidden = {field.name for field in collection.file_fields if field.hides_names}
    return {
        key: [NewFile(stored_name("" if key.strip("+") in hidden else each.filename, each.type), each) for each in some]
        for key, some in uploads.items()
    }


def wanted_files(collection: Collection) -> Mapping[str, Wanted]:
    """What is wanted of files that are submitted, by name; under other names none are."""
    known: Mapping[str, Wanted] | None = collection.__dict__.get("_wanted_files")
    if known is None:
        wanted = {
            key: Wanted(field.max_size or DEFAULT_MAX_SIZE, field.is_encrypted)
            for field in collection.file_fields
            for key in (field.name, f"{field.name}+", f"+{field.name}")
        }
        known = collection.__dict__["_wanted_files"] = wanted
    return known


def check_new_file(field: FileField, file: NewFile) -> FieldError | None:
    """Why a field refuses an uploaded file, or None."""
    if file.upload.fault is not None:
        return file.upload.fault
    most = field.max_size or DEFAULT_MAX_SIZE
    if file.size > most or file.upload.path is None:
        text = f"Failed to upload {file.original_name} - the maximum allowed file size is {most} bytes."
        return FieldError("validation_file_size_limit", text, {"file": file.original_name, "maxSize": most})
    if field.mime_types and not any(matches_type(file.type, wanted) for wanted in field.mime_types):
        allowed = ", ".join(field.mime_types)
        text = f'"{file.original_name}" mime type must be one of: {allowed}.'
        return FieldError("validation_invalid_mime_type", text)
    return None
