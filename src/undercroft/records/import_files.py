"""Files that rows of an import name by their paths: found below one folder, and nowhere else."""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.errors import FieldError, Invalid
from undercroft.files.local_folder import ABSENT, open_file, open_folder
from undercroft.files.staging import Staging, Wanted
from undercroft.http.upload import Upload
from undercroft.records.attachments import NewFile, check_new_file, wanted_files

_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class ImportFiles:
    """Copies the files of rows from a folder to where uploads wait. No link is followed."""

    folder: Path
    staging: Staging

    async def stage(self, collection: Collection, paths: Mapping[str, Sequence[str]]) -> dict[str, list[Upload]]:
        """The files of one row by field. Raises `Invalid`, and then keeps none of them."""
        staged: dict[str, list[Upload]] = {}
        errors: dict[str, FieldError] = {}
        for field in collection.file_fields:
            for path in paths.get(field.name, ()):
                found = await self._stage_one(collection, field, path)
                if isinstance(found, FieldError):
                    errors[field.name] = found
                else:
                    staged.setdefault(field.name, []).append(found)
        if errors:
            await self.discard([each for uploads in staged.values() for each in uploads])
            raise Invalid(errors)
        return staged

    async def discard(self, uploads: Sequence[Upload]) -> None:
        """Drop copies that are needed no more."""
        await self.staging.discard(uploads)

    async def _stage_one(self, collection: Collection, field: FileField, path: str) -> Upload | FieldError:
        parts = path.removeprefix("./").split("/")
        if "\0" in path or not all(part not in {"", ".", ".."} for part in parts):
            return FieldError("import_bad_path", f"{path!r} is no path below {str(self.folder)!r}.")
        try:
            opened = await to_thread(self._open, parts)
        except (*ABSENT, UnicodeEncodeError):
            return FieldError(
                "import_no_file", f"There is no file {path!r} in {str(self.folder)!r}; links do not count."
            )
        except OSError as error:
            return FieldError("import_unreadable", f"{path!r} cannot be read: {error.strerror or error}.")
        try:
            upload = await self._copy(opened, parts[-1], field.name, wanted_files(collection)[field.name])
        finally:
            os.close(opened)
        reason = check_new_file(field, NewFile("", upload))
        if reason is not None:
            await self.discard([upload])
        return reason or upload

    def _open(self, parts: Sequence[str]) -> int:
        *folders, name = parts
        with open_folder(self.folder, folders) as folder:
            return open_file(folder, name)

    async def _copy(self, opened: int, filename: str, field: str, wanted: Wanted) -> Upload:
        """A copy of an open file; none of one that is too large, of which only the size is told."""
        size = os.fstat(opened).st_size
        sink = self.staging.intake(lambda _: wanted).open(field, filename, "") if size <= wanted.most else None
        if sink is None:
            return Upload(filename, "", size, "", "", None)
        try:
            while piece := await to_thread(os.read, opened, _PIECE):
                await sink.write(piece)
            return await sink.finish()
        except BaseException:
            sink.discard()
            raise
