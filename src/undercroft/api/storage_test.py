"""POST /api/settings/test/s3: whether the bucket that is set can be used."""

from __future__ import annotations

from typing import Final

import msgspec

from undercroft.backend import Backend
from undercroft.database.refusals import StartRefused
from undercroft.errors import REQUIRED, BadRequest, Invalid
from undercroft.files.choose import is_settable, open_bucket
from undercroft.files.probe import try_out
from undercroft.files.s3_bucket import BadBucket
from undercroft.files.s3_guard import guarded
from undercroft.files.store import FileStore, StoreUnavailable
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.forms import load_form
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.settings.storage import find_bucket
from undercroft.settings.validate import NOT_IN_LIST

_KINDS: Final = ("storage", "backups")


class BadTest(Invalid):
    """Which storage is to be tested is not said, or is none."""

    code = "bad_storage_test"
    default = "Failed to test the S3 filesystem."


class StorageUnusable(BadRequest):
    """The bucket that is set cannot be used, or none is set."""

    code = "storage_unusable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Failed to test the S3 filesystem. Raw error: \n{reason}")


class TestForm(msgspec.Struct, frozen=True):
    """Which storage is meant: that of files, or that of backups."""

    filesystem: str = ""


async def run(request: Request) -> Response:
    """Nothing, when it can be used. Raises `BadTest` and `StorageUnusable`."""
    form = load_form(await request.body(DEFAULT_LIMIT), TestForm)
    if form.filesystem not in _KINDS:
        raise BadTest({"filesystem": NOT_IN_LIST if form.filesystem else REQUIRED})
    try:
        await try_out(await _open(request.backend, form.filesystem))
    except (BadBucket, StartRefused, StoreUnavailable) as problem:
        raise StorageUnusable(getattr(problem, "detail", "") or problem.message()) from problem
    return Response(204)


async def _open(backend: Backend, kind: str) -> FileStore:
    """The store that is meant: the bucket that the server was started with, or the one that is set."""
    if kind == "storage" and not is_settable(backend.files.inner):
        return backend.files.inner
    bucket = find_bucket(backend.settings.s3 if kind == "storage" else backend.settings.backups.s3)
    if bucket is None:
        raise StorageUnusable("S3 storage filesystem is not enabled.")
    return open_bucket(await guarded(bucket))
