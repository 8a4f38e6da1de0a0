"""What the database knows of resumable uploads: whose they are, how large, and until when they may be finished.

How much has arrived it does not know: the part file alone tells that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.errors import TooMany
from undercroft.files.tus_protocol import parse_metadata

Run = Callable[[str, Sequence[Value]], Awaitable[list[Row]]]

KEPT_SECONDS: Final = 24 * 3600.0  # after anything came
LONGEST_SECONDS: Final = 7 * 24 * 3600.0  # from the beginning, whatever comes
MOST: Final = 100  # unfinished uploads of one owner, or of the guests at one address
MIB: Final = 1024 * 1024
_GUESTS: Final = 10  # all guests together may have so many times what one may
_AT_ONCE: Final = 500


class TooManyUploads(TooMany):
    """Whoever uploads has too much waiting to be finished already."""

    code = "too_many_uploads"

    def __init__(self, count: int, size: int) -> None:
        super().__init__(
            f"At most {count} uploads and {size // MIB} MiB may wait to be finished: finish or delete some first."
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun.

    `owner` is `COLLECTION_ID/RECORD_ID`, empty for a guest; `source` is whom its bytes are
    counted for; `place` is the folder that its bytes are in; `metadata` is as it came. `key`
    is that of an upload that arrives encrypted, itself sealed for its row; so is its metadata where it is kept.
    `age` and `left` are the seconds since it was begun, and until it is forgotten.
    """

    id: str
    owner: str
    source: str
    place: str
    size: int
    metadata: str
    age: float = 0.0
    left: float = KEPT_SECONDS
    key: str = ""

    @property
    def longest(self) -> float:
        """For how many seconds from now it may be kept, if anything comes."""
        return min(KEPT_SECONDS, LONGEST_SECONDS - self.age)

    @property
    def filename(self) -> str:
        """What the client calls the file."""
        known = parse_metadata(self.metadata)
        return known.get("filename") or known.get("name") or "file"


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one source may have waiting: uploads, and bytes in all."""

    count: int
    size: int


async def add_upload(tx: Transaction, dialect: Dialect, upload: Upload, quota: Quota | None) -> None:
    """Note a new upload. Raises `TooManyUploads`."""
    if quota is not None:
        await _check_quota(tx, dialect, upload, "source", quota)
        if not upload.owner:
            all_guests = Quota(quota.count * _GUESTS, quota.size * _GUESTS)
            await _check_quota(tx, dialect, upload, "owner", all_guests)
    mark, clock = dialect.placeholder, dialect.clock()
    values = (upload.id, upload.owner, upload.source, upload.place, upload.size, upload.metadata, upload.key)
    places = ", ".join(mark(number) for number in range(1, len(values) + 1))
    await tx.run(
        f"""INSERT INTO "_uploads" ("id", "owner", "source", "place", "size", "metadata", "key", "created", "expires")
        VALUES ({places}, {clock}, {clock} + {mark(len(values) + 1, "number")})""",
        (*values, upload.left),
    )


async def find_upload(run: Run, dialect: Dialect, upload_id: str) -> Upload | None:
    """The upload of an id, whoever's it is, also when its time is over."""
    clock = dialect.clock()
    sql = f"""SELECT "id", "owner", "source", "place", "size", "metadata", {clock} - "created", "expires" - {clock},
        "key" FROM "_uploads" WHERE "id" = {dialect.placeholder(1)}"""
    rows = await run(sql, (upload_id,))
    return _from_row(rows[0]) if rows else None


async def prolong(tx: Transaction, dialect: Dialect, upload: Upload) -> bool:
    """Give an upload the time that `longest` says; whether it is still known."""
    mark = dialect.placeholder
    sql = (
        f"""UPDATE "_uploads" SET "expires" = "created" + {mark(1, "number")} WHERE "id" = {mark(2)} RETURNING "id\""""
    )
    return bool(await tx.run(sql, (upload.age + upload.longest, upload.id)))


async def drop_upload(tx: Transaction, dialect: Dialect, upload_id: str) -> bool:
    """Forget an upload; whether it was still known. Of two who come at once one is told so."""
    sql = f'DELETE FROM "_uploads" WHERE "id" = {dialect.placeholder(1)} RETURNING "id"'
    return bool(await tx.run(sql, (upload_id,)))


async def known_uploads(engine: Engine, place: str) -> set[str]:
    """The ids of all uploads whose bytes are in a folder."""
    rows = await engine.read(f'SELECT "id" FROM "_uploads" WHERE "place" = {engine.dialect.placeholder(1)}', (place,))
    return {str(row[0]) for row in rows}


async def has_old_uploads(engine: Engine) -> bool:
    """Whether the time of some upload is over."""
    return bool(await engine.read(f'SELECT 1 FROM "_uploads" WHERE "expires" <= {engine.dialect.clock()} LIMIT 1'))


async def forget_old_uploads(tx: Transaction, dialect: Dialect) -> None:
    """Forget uploads whose time is over, not too many at once; what arrived of them is swept up later."""
    old = f'SELECT "id" FROM "_uploads" WHERE "expires" <= {dialect.clock()} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_uploads" WHERE "id" IN ({old})')


async def _check_quota(tx: Transaction, dialect: Dialect, upload: Upload, column: str, quota: Quota) -> None:
    sql = f"""SELECT count(*), CAST(coalesce(sum("size"), 0) AS BIGINT) FROM "_uploads"
        WHERE {dialect.quote(column)} = {dialect.placeholder(1)}"""
    count, size = (int(value or 0) for value in (await tx.run(sql, (getattr(upload, column),)))[0])
    if count + 1 > quota.count or size + upload.size > quota.size:
        raise TooManyUploads(quota.count, quota.size)


def _from_row(row: Row) -> Upload:
    upload_id, owner, source, place, metadata, key = (str(row[at]) for at in (0, 1, 2, 3, 5, 8))
    size, age, left = (float(row[at] or 0) for at in (4, 6, 7))
    return Upload(upload_id, owner, source, place, int(size), metadata, age, left, key)
