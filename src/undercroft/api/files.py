"""Downloads: files of records, to those who may have them, and the tokens that protected ones are asked for with."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from undercroft.api.auth.own import came_with, claims_of
from undercroft.api.file_answers import Served, answer_file, name_of
from undercroft.api.records import collection_of
from undercroft.auth import tokens
from undercroft.auth.identify import identify_by
from undercroft.errors import NotFound
from undercroft.files.store import StoredFile
from undercroft.files.thumb_size import allowed_size
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response
from undercroft.middleware.authenticate import SuperuserFromElsewhere, check_superuser_address
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.held_files import Asked, HeldFile, find_held_file

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


async def token(request: Request) -> Response:
    """POST /api/files/token"""
    identity = request.identity
    if identity is None:
        raise NotFound
    # One that was had with a token names its log-in as that token does; others say what they were had with.
    claims = claims_of(request)
    iat, under = (claims.iat, "") if claims is not None else (None, came_with(request))
    return json_response({"token": tokens.issue("file", identity.collection, identity.record, iat=iat, under=under)})


async def serve(request: Request) -> Response:
    """GET /api/files/{collection}/{id}/{name}"""
    held = await _find(request)
    original = await request.backend.files.find(held.key)
    if original is None:
        raise NotFound
    file = await _thumb(request, held, original) or original
    wish = request.query.get("download", "")
    name = file.facts.original_name if wish == "original" else name_of(file)
    served = Served(file, name, is_attached=wish in _TRUE or wish == "original", is_public=held.is_public)
    return await answer_file(request, served)


async def _thumb(request: Request, held: HeldFile, original: StoredFile) -> StoredFile | None:
    """The thumb that the request asks for; None where the original is to be served."""
    asked = request.query.get("thumb", "")
    size = allowed_size(asked, held.field.thumbs) if asked else None
    backend = request.backend
    return await backend.thumbs.find_or_make(backend.files, original, size) if size is not None else None


async def _find(request: Request) -> HeldFile:
    """The file that the path names. Raises `NotFound`."""
    collection = collection_of(request)
    is_any_protected = any(field.protected for field in collection.file_fields)
    identity = await _caller(request) if is_any_protected else None
    scope = replace(request.rule_scope("protectedFile"), identity=identity)
    backend = request.backend
    access = Access.of(backend, scope)
    return await find_held_file(access, Asked(collection, request.params["id"], request.params["name"]))


async def _caller(request: Request) -> Identity | None:
    """Whom the file token speaks for, or, where there is none, the session of a page; None without a good one.

    Raises `NotFound`.
    """
    if "token" not in request.query and request.header(b"authorization") is None:
        return request.identity  # known by a cookie, which counts from pages of our own alone
    identity = await identify_by(request.backend, request.query.get("token", ""), "file", request.guest_scope)
    if identity is not None and identity.is_superuser:
        try:
            check_superuser_address(request)
        except SuperuserFromElsewhere as problem:
            raise NotFound from problem
    return identity
