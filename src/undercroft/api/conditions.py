"""Tags of records (RFC 9110, 8.8 and 13): whoever has one may ask for it again, or change it only as it is.

A tag stands for a record as its reader sees it, without what is expanded. If-Match is judged
within the write's transaction, and a failure told only once the rule has allowed the write:
so it tells nothing to those who may not write, who are answered as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import NotFound, PreconditionFailed
from undercroft.http.conditions import names_tag
from undercroft.http.request import Request
from undercroft.http.response import JSON_TYPE, Response, json_bytes
from undercroft.records.access import Access
from undercroft.records.read import show_record

_encode = msgspec.json.Encoder().encode


class RecordChanged(PreconditionFailed):
    """The record is not any more as the caller of a write with If-Match saw it; nothing was written."""

    code = "record_changed"
    default = "The record was changed in the meantime. Read it again, then try again."


def tag_of(shown: bytes) -> str:
    """The tag of a record, by the JSON it is shown as; with its quotes."""
    return f'"{blake2b(shown, digest_size=12).hexdigest()}"'


def show_written(collection: Collection, shown: bytes) -> Response:
    """The answer with a record that was just written, and its tag.

    An engine may spell JSON in its own way once it is stored, so with JSON in it there is no tag yet.
    """
    if any(field.column in {"json", "geo"} for field in collection.fields):
        return json_bytes(shown)
    return _tagged(shown, tag_of(shown))


def show_read(request: Request, shown: bytes) -> Response:
    """The answer with a record and its tag, or 304 where the caller has it."""
    tag, known = tag_of(shown), request.header(b"if-none-match")
    if known is not None and names_tag(known, tag, is_strong=False):
        return Response(304, b"", ((b"etag", tag.encode()),))
    return _tagged(shown, tag)


def _tagged(shown: bytes, tag: str) -> Response:
    return Response(200, shown, (JSON_TYPE, (b"etag", tag.encode())))


@dataclass(slots=True)
class Condition:
    """What If-Match demands of the record that is written."""

    wanted: bytes
    access: Access
    collection: Collection
    record_id: str
    is_met: bool = True

    async def look(self, tx: Transaction) -> None:
        """See whether the record is as it is to be, before it is written."""
        try:
            shown = await show_record(self.access.through(tx.run), self.collection, self.record_id)
        except NotFound:
            self.is_met = True  # the write itself says that there is none
        else:
            self.is_met = names_tag(self.wanted, tag_of(_encode(shown)), is_strong=True)

    def hold(self) -> None:
        """Undo a write that was not to be. Raises `RecordChanged`."""
        if not self.is_met:
            raise RecordChanged


def condition_of(request: Request, access: Access, collection: Collection, record_id: str | None) -> Condition | None:
    """The condition of a write; None where it has none, or makes a new record."""
    wanted = request.header(b"if-match")
    return None if wanted is None or record_id is None else Condition(wanted, access, collection, record_id)
