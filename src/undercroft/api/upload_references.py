"""Resumable uploads in the body of a record: `"@upload:ID"` stands for the file that was uploaded.

It stands where a multipart form would have the file: in a file field, alone or in a list,
and in `field+` and `+field`. Nothing is told here to whoever may not write: what is wrong
with a reference is the fault of its field, and comes out when the record is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from undercroft.api.uploads import owner_of
from undercroft.collections.collection import Collection
from undercroft.errors import BadRequest, FieldError, Problem
from undercroft.files.staging import Wanted
from undercroft.files.tus_parts import Unfinished
from undercroft.files.tus_protocol import NoSuchUpload, UploadExpired
from undercroft.http.body import Body
from undercroft.http.form_data import MAX_PARTS
from undercroft.http.request import Request
from undercroft.http.upload import Upload
from undercroft.records.attachments import wanted_files

MARK: Final = "@upload:"
MOST: Final = MAX_PARTS  # as many files as a form may have


class TooManyReferences(BadRequest):
    """A body refers to more uploads than any form may have files."""

    code = "too_many_references"
    default = f"At most {MOST} uploads can be used at once."


async def redeem(request: Request, collection: Collection, body: Body) -> Body:
    """The body with files in place of references to uploads.

    Raises `TooManyReferences`, `UploadElsewhere` and `UploadLocked`; no file is left then.
    """
    wanted = wanted_files(collection)
    found = find_references(body.data, wanted)
    if not found:
        return body
    files = {key: list(uploads) for key, uploads in body.files.items()}
    try:
        _check_number(found)
        for key, ids in found.items():
            for upload_id in ids:
                files.setdefault(key, []).append(await _redeem(request, upload_id, wanted[key]))
    except BaseException:
        await request.backend.staging.discard(upload for uploads in files.values() for upload in uploads)
        raise
    return replace(body, data=without_references(body.data, found), files=files)


def find_references(data: Mapping[str, Any], keys: Iterable[str]) -> dict[str, list[str]]:
    """The ids of the uploads that are referred to, by the key of the body."""
    found = {key: [text.removeprefix(MARK) for text in _listed(data.get(key)) if _refers(text)] for key in keys}
    return {key: ids for key, ids in found.items() if ids}


def without_references(data: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """A body without the references in it; the names of files that stay are still there."""
    kept = {key: [text for text in _listed(data[key]) if not _refers(text)] for key in found}
    return {key: kept.get(key, value) for key, value in data.items() if kept.get(key) != []}


async def let_go(request: Request, uploads: Iterable[Upload]) -> None:
    """Drop what files of a body left behind, whatever became of its record."""
    uploads = list(uploads)
    await request.backend.staging.discard(uploads)
    with suppress(Problem):  # what is left is swept up later
        await request.backend.uploads.clear(upload.resumable for upload in uploads if upload.resumable)


def _check_number(found: Mapping[str, list[str]]) -> None:
    if sum(map(len, found.values())) > MOST:
        raise TooManyReferences


async def _redeem(request: Request, upload_id: str, wanted: Wanted) -> Upload:
    backend = request.backend
    try:
        upload = await backend.uploads.find(upload_id, owner_of(request))
        if upload.size > wanted.most:
            return Upload(upload.filename, "", upload.size, "", "", None)
        return await backend.uploads.take(upload, backend.staging, is_encrypted=wanted.is_encrypted)
    except (NoSuchUpload, UploadExpired):
        return _faulty(upload_id, "validation_unknown_upload", f"There is no upload {upload_id[:40]!r} of yours.")
    except Unfinished as unfinished:
        text = f"The upload {upload_id!r} is not finished: it has {unfinished.offset} of {unfinished.size} bytes."
        return _faulty(upload_id, "validation_unfinished_upload", text)


def _faulty(upload_id: str, code: str, text: str) -> Upload:
    return Upload(MARK + upload_id[:40], "", 0, "", "", None, fault=FieldError(code, text))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _refers(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(MARK)
