"""The picture that a provider has of somebody, fetched for the field of a new account that takes it.

Where it is is said by the provider, which may have been told by anybody: it is fetched from the
internet alone, or from the provider's own servers, and kept only if it is what the field takes.
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import unquote, urlsplit

from undercroft.auth.oauth2.exchange import Line
from undercroft.collections.fields.file import FileField
from undercroft.errors import StorageFull
from undercroft.files.staging import Staging, StagingIntake, Wanted
from undercroft.files.store import StoreUnavailable
from undercroft.http.outgoing import Call, OutgoingFailed, OutgoingRefused, Reply
from undercroft.http.upload import Upload
from undercroft.records.attachments import DEFAULT_MAX_SIZE, NewFile, check_new_file

_REDIRECTS: Final = 3
_DONE: Final = 200
_log = logging.getLogger("undercroft")


async def fetch_avatar(line: Line, staging: Staging, field: FileField, url: str) -> Upload | None:
    """A picture that the field takes, waiting on disk; None where there is none."""
    reply = await _ask(line, url, min(field.max_size or DEFAULT_MAX_SIZE, DEFAULT_MAX_SIZE))
    if reply is None:
        return None
    try:
        wanted = Wanted(len(reply.body), field.is_encrypted)
        upload = await _keep(staging.intake(lambda _: wanted), _name(url), reply.body)
    except (StorageFull, StoreUnavailable) as problem:
        _log.warning("The picture of a new account cannot be kept: %s", problem.message())
        return None
    if check_new_file(field, NewFile(upload.filename, upload)) is None:
        return upload
    await staging.discard([upload])
    return None


async def _ask(line: Line, url: str, largest: int) -> Reply | None:
    networks = line.networks if _is_own(line, url) else ()
    try:
        reply = await line.call(Call(url, networks=networks, largest=largest, redirects=_REDIRECTS))
    except (OutgoingRefused, OutgoingFailed) as problem:
        _log.info("The picture of a new account cannot be fetched: %s", problem.message())
        return None
    return reply if reply.number == _DONE and reply.body and not reply.is_cut else None


def _is_own(line: Line, url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) in line.provider.hosts


async def _keep(intake: StagingIntake, name: str, content: bytes) -> Upload:
    sink = intake.open("avatar", name, "")
    if sink is None:
        raise TypeError(name)
    try:
        await sink.write(content)
        return await sink.finish()
    except BaseException:
        sink.discard()
        raise


def _name(url: str) -> str:
    """What a picture is called, by its URL."""
    return unquote(urlsplit(url).path.rpartition("/")[2])[-100:] or "avatar"
