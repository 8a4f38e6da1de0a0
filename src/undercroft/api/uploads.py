"""Resumable uploads: tus 1.0 at /api/uploads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Final

from undercroft.api.router import Handler
from undercroft.api.upload_pieces import pieces
from undercroft.api.upload_targets import quota_of, size_limit, source_of, wanted_upload
from undercroft.errors import NotFound
from undercroft.files.tus import Piece
from undercroft.files.tus_protocol import (
    ALGORITHMS,
    CONTENT_TYPE,
    EXTENSIONS,
    VERSION,
    NotAnUpload,
    UnknownTusVersion,
    UploadTooLarge,
    parse_checksum,
    parse_metadata,
    parse_number,
)
from undercroft.files.tus_state import Upload
from undercroft.http.request import Request
from undercroft.http.response import Header, Response

PATH: Final = "/api/uploads"
_EXPOSED: Final = (
    "Location, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"
)
COMMON: Final[tuple[Header, ...]] = (
    (b"tus-resumable", VERSION.encode()),
    (b"tus-version", VERSION.encode()),
    (b"access-control-expose-headers", _EXPOSED.encode()),
    (b"cache-control", b"no-store"),
)
"""Headers of every answer, those to bad requests included."""


async def discover(request: Request) -> Response:
    """OPTIONS /api/uploads: what this server can do."""
    told = {
        "tus-extension": EXTENSIONS,
        "tus-checksum-algorithm": ",".join(ALGORITHMS),
        "tus-max-size": str(size_limit(request.backend.catalog, None, {})),
    }
    return Response(204, b"", _headers(told))


async def create(request: Request) -> Response:
    """POST /api/uploads: begin an upload; a first piece of it may come along."""
    _check_version(request)
    metadata = request.headers.get("upload-metadata", "")
    size = parse_number("Upload-Length", request.headers.get("upload-length"))
    wanted = wanted_upload(request.backend.catalog, request.rule_scope(), parse_metadata(metadata))
    if size > wanted.most:
        raise UploadTooLarge(wanted.most)
    checksum = parse_checksum(request.headers.get("upload-checksum"))
    asked = Upload("", owner_of(request), source_of(request), "", size, metadata)
    quota = quota_of(request, wanted.most)
    upload = await request.backend.uploads.begin(asked, quota, is_encrypted=wanted.is_encrypted)
    told = {"location": f"{request.asgi.get('root_path', '')}{PATH}/{upload.id}"}
    if request.headers.get("content-type") == CONTENT_TYPE:
        upload, offset = await _begin_with(request, upload, Piece(0, pieces(request), checksum))
        told["upload-offset"] = str(offset)
    return Response(201, b"", _headers(told | _expiry(upload)))


async def look(request: Request) -> Response:
    """HEAD /api/uploads/{id}: how much has arrived."""
    _check_version(request)
    upload = await _find(request)
    told = {"upload-offset": str(await request.backend.uploads.offset(upload)), "upload-length": str(upload.size)}
    if upload.metadata:
        told["upload-metadata"] = upload.metadata
    return Response(200, b"", _headers(told | _expiry(upload)))


async def append(request: Request) -> Response:
    """PATCH /api/uploads/{id}: the next piece."""
    _check_version(request)
    if request.headers.get("content-type") != CONTENT_TYPE:
        raise NotAnUpload
    offset = parse_number("Upload-Offset", request.headers.get("upload-offset"))
    checksum = parse_checksum(request.headers.get("upload-checksum"))
    upload = await _find(request)
    _check_announced(request, upload, offset)
    upload, offset = await request.backend.uploads.receive(upload, Piece(offset, pieces(request), checksum))
    return Response(204, b"", _headers({"upload-offset": str(offset)} | _expiry(upload)))


async def terminate(request: Request) -> Response:
    """DELETE /api/uploads/{id}: forget it."""
    _check_version(request)
    await request.backend.uploads.drop(await _find(request))
    return Response(204)


async def overridden(request: Request) -> Response:
    """POST /api/uploads/{id}: what X-HTTP-Method-Override says, for clients that can do no better."""
    handler = _OVERRIDES.get(request.headers.get("x-http-method-override", "").upper())
    if handler is None:
        raise NotFound
    return await handler(request)


def owner_of(request: Request) -> str:
    """Who begins or goes on with an upload: `COLLECTION_ID/RECORD_ID`, empty for guests."""
    identity = request.identity
    return f"{identity.collection.id}/{identity.id}" if identity else ""


_OVERRIDES: Final[Mapping[str, Handler]] = {"HEAD": look, "PATCH": append, "DELETE": terminate}


async def _begin_with(request: Request, upload: Upload, piece: Piece) -> tuple[Upload, int]:
    """Add the piece that came with the creation; without an answer nobody would know of the upload."""
    try:
        return await request.backend.uploads.receive(upload, piece)
    except Exception:
        await request.backend.uploads.drop(upload)
        raise


async def _find(request: Request) -> Upload:
    return await request.backend.uploads.find(request.params["id"], owner_of(request))


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise UnknownTusVersion


def _check_announced(request: Request, upload: Upload, offset: int) -> None:
    """Refuse a piece that would be too long before it comes."""
    length = request.headers.get("content-length")
    if length is not None and offset + parse_number("Content-Length", length) > upload.size:
        raise UploadTooLarge(upload.size)


def _expiry(upload: Upload) -> dict[str, str]:
    return {"upload-expires": formatdate(time.time() + upload.left, usegmt=True)}


def _headers(told: Mapping[str, str]) -> list[Header]:
    return [(name.encode(), value.encode()) for name, value in told.items()]
