"""Records in, in bulk.

An import goes the way a superuser's create goes, field by field and check by
check, many rows in one transaction: a row that is refused leaves no trace and
stops nothing. Every row ends up imported or rejected with its reason.

A refusal by the checks has written nothing. One by the database may have, and
some engines give up the whole transaction then; so a batch in which that happens
is undone and done again with a savepoint around every row.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Engine, SqlError, Transaction
from undercroft.errors import BadRequest, FieldError, Invalid
from undercroft.files.ledger import abandon_files, hold_files
from undercroft.http.upload import Upload
from undercroft.passwords import Verdict
from undercroft.records.access import Access
from undercroft.records.attachments import Placed
from undercroft.records.cipher import looked_up
from undercroft.records.draft import Draft, Submission
from undercroft.records.filing import Filing
from undercroft.records.import_files import ImportFiles
from undercroft.records.import_row import ImportRow, RowReader
from undercroft.records.mapping import FieldMapping, Target
from undercroft.records.prepare import Desk, Hasher, Prepared, prepare_write
from undercroft.records.sources import SourceRow
from undercroft.records.write import Writer

BATCH: Final = 500
BATCH_WITH_FILES: Final = 20  # their copies take room until the batch is written
_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")


class DryRun(Exception):
    """Ends a transaction that was only tried."""


class RefusedByDatabase(Exception):
    """Ends a transaction whose rows have no savepoints, when the database refuses one of them."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not imported, and why; `errors` by field where fields are at fault."""

    place: str
    reason: str
    row: Any
    errors: Mapping[str, FieldError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one batch; the files that came with it, and their bytes."""

    read: int
    rejected: Sequence[Rejected]
    files: int = 0
    file_bytes: int = 0


@dataclass(slots=True)
class _Batch:
    """Rows on their way: those that are ready for the database, and what is wrong with others, by place."""

    rows: Sequence[SourceRow]
    ready: dict[int, tuple[ImportRow, Prepared]] = field(default_factory=dict)
    problems: dict[int, BadRequest] = field(default_factory=dict)

    @property
    def placed(self) -> list[Placed]:
        """The files of the rows that are ready."""
        return [each for _, prepared in self.ready.values() for each in prepared.placed]


@dataclass(slots=True)
class Importer:
    """Stores rows in a collection; `access` is a superuser's. Without `files` no column holds paths."""

    engine: Engine
    access: Access
    filing: Filing
    hasher: Hasher
    mapping: FieldMapping
    is_lenient: bool = False
    is_dry: bool = False
    files: ImportFiles | None = None
    _found: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def collection(self) -> Collection:
        return self.mapping.collection

    async def run(self, rows: Iterator[SourceRow]) -> AsyncIterator[Imported]:
        """Import all rows; what became of each batch. One is made ready while the one before it is written."""
        reader = RowReader(self.mapping, is_lenient=self.is_lenient)
        writing: asyncio.Task[Imported] | None = None
        size = BATCH if self.files is None else BATCH_WITH_FILES
        while taken := list(islice(rows, size)):
            batch = await self._prepare(taken, reader)
            if writing is not None:
                yield await writing
            writing = asyncio.create_task(self._store(batch))
            await asyncio.sleep(0)  # lets the writing begin
        if writing is not None:
            yield await writing

    async def _prepare(self, rows: Sequence[SourceRow], reader: RowReader) -> _Batch:
        batch = _Batch(rows)
        for number, source in enumerate(rows):
            try:
                batch.ready[number] = await self._prepare_row(reader.read(source))
            except BadRequest as problem:
                batch.problems[number] = problem
        return batch

    async def _prepare_row(self, row: ImportRow) -> tuple[ImportRow, Prepared]:
        """The row with its files copied and its passwords hashed. Raises `BadRequest`, and then keeps no file."""
        uploads = await self.files.stage(self.collection, row.paths) if self.files is not None else {}
        if not uploads and not self.collection.has_passwords:
            return row, Prepared(Submission(row.body))
        if self.collection.is_auth and "password" in row.body:
            row.body["passwordConfirm"] = row.body["password"]
        desk = Desk(self.access, _KeepHashes(self.hasher))
        try:
            prepared = await prepare_write(desk, self.collection, None, row.body, uploads)
        except BadRequest:
            await self._discard([each for some in uploads.values() for each in some])
            raise
        body = dict(prepared.submission.body)  # preparing may have made another one
        return replace(row, body=body), replace(prepared, submission=replace(prepared.submission, body=body))

    async def _store(self, batch: _Batch) -> Imported:
        """Write a batch in one transaction, its files being in the store by then."""
        placed = batch.placed
        try:
            async with self.filing.holding([] if self.is_dry else placed):
                refused = await self._write_or_retry(batch)
        finally:
            await self._discard([each.file.upload for each in placed])
        problems = batch.problems | refused
        kept = [each for number, (_, row) in batch.ready.items() if number not in refused for each in row.placed]
        rejected = [_reject(batch.rows[number], problems[number]) for number in sorted(problems)]
        return Imported(len(batch.rows), rejected, len(kept), sum(each.file.size for each in kept))

    async def _discard(self, uploads: Sequence[Upload]) -> None:
        if self.files is not None:
            await self.files.discard(uploads)

    async def _write_or_retry(self, batch: _Batch) -> dict[int, BadRequest]:
        """What the database refused, by place."""
        try:
            return await self._write(batch, has_savepoints=any(row.dates for row, _ in batch.ready.values()))
        except RefusedByDatabase:
            self._found.clear()  # what was found may be a record that was undone
            return await self._write(batch, has_savepoints=True)

    async def _write(self, batch: _Batch, *, has_savepoints: bool) -> dict[int, BadRequest]:
        async def operation(transaction: Transaction) -> None:
            refused.clear()  # an engine may try an operation more than once
            writer = Writer(self.access.through(transaction.run), transaction)
            put = self._put_apart if has_savepoints else self._put
            if self.is_dry:
                await hold_files(transaction, self.access.dialect, [each.key for each in batch.placed])
            for number, (row, prepared) in batch.ready.items():
                try:
                    await put(writer, row, prepared)
                except BadRequest as problem:
                    if not has_savepoints and not _is_check(problem):
                        raise RefusedByDatabase from problem
                    refused[number] = problem
                    await abandon_files(transaction, self.access.dialect, [each.key for each in prepared.placed])
            if self.is_dry:
                raise DryRun

        refused: dict[int, BadRequest] = {}
        with suppress(DryRun):
            await self.engine.write(operation)
        if self.is_dry:
            self._found.clear()
        return refused

    async def _put_apart(self, writer: Writer, row: ImportRow, prepared: Prepared) -> None:
        """Store one row in a savepoint."""
        run = writer.transaction.run
        await run("SAVEPOINT imported_row")
        try:
            await self._put(writer, row, prepared)
        except BadRequest:
            await run("ROLLBACK TO imported_row")
            raise
        finally:
            await run("RELEASE imported_row")

    async def _put(self, writer: Writer, row: ImportRow, prepared: Prepared) -> None:
        """Store one row."""
        for target, value in row.lookups:
            row.body[target.field.name] = await self._look_up(writer, target, value)
        draft = await writer.create(self.collection, prepared)
        if row.dates:
            await self._set_dates(writer, draft.values["id"], row.dates)

    async def _set_dates(self, writer: Writer, record_id: str, dates: Mapping[str, str]) -> None:
        """Put the dates of the file in place of those that a create sets."""
        quote, placeholder = self.access.dialect.quote, self.access.dialect.placeholder
        sets = ", ".join(f"{quote(name)} = {placeholder(n)}" for n, name in enumerate(dates, 1))
        where = f"{quote('id')} = {placeholder(len(dates) + 1)}"
        sql = f"UPDATE {quote(self.collection.name)} SET {sets} WHERE {where}"
        await writer.transaction.run(sql, [*dates.values(), record_id])

    async def _look_up(self, writer: Writer, target: Target, value: Any) -> str | list[str]:
        """The ids of the related records that have the values in their lookup field."""
        values = value if isinstance(value, list) else [value]
        ids = [await self._find(writer, target, one) for one in values if one not in ("", None)]
        return ids if target.field.is_multiple else "".join(ids[-1:])

    async def _find(self, writer: Writer, target: Target, value: Any) -> str:
        """The id of the one record that has the value. Raises `Invalid` for none and for several."""
        collection, key = target.lookup or (self.collection, target.field)
        wanted = key.to_column(key.cast(value))
        place = (target.field.name, str(wanted))
        if place in self._found:
            return self._found[place]
        dialect = self.access.dialect
        ((column, asked),) = looked_up(collection, {key.name: wanted}).items()
        where = f"{dialect.quote(column)} = {dialect.placeholder(1)}"
        sql = f"SELECT {dialect.quote('id')} FROM {dialect.quote(collection.name)} WHERE {where} LIMIT 2"
        rows = await writer.transaction.run(sql, [asked])
        if len(rows) != 1:
            text = f"{'More than one' if rows else 'No'} record of {collection.name} has {key.name} {value!r}."
            raise Invalid({target.field.name: FieldError("import_not_found", text)})
        self._found[place] = str(rows[0][0])
        return self._found[place]


@dataclass(frozen=True, slots=True)
class _KeepHashes:
    """Takes bcrypt hashes as they are: accounts that come from elsewhere keep their passwords."""

    hasher: Hasher

    async def hash(self, text: str) -> str:
        return text if _is_hash(text) else await self.hasher.hash(text)

    async def judge(self, draft: Draft, field: PasswordField) -> FieldError | None:
        return None if _is_hash(draft.values[field.name]) else await self.hasher.judge(draft, field)

    async def verify(self, text: str, stored: str) -> Verdict:
        return await self.hasher.verify(text, stored)


def _is_hash(text: str) -> bool:
    return text.startswith(_BCRYPT) and len(text) == 60


def _is_check(problem: BadRequest) -> bool:
    """Whether a refusal comes from a check, before anything was written."""
    return isinstance(problem, Invalid) and problem.__cause__ is None


def _reject(row: SourceRow, problem: BadRequest) -> Rejected:
    errors = {name: error for name, error in problem.data.items() if isinstance(error, FieldError)}
    reason = " ".join(f"{name}: {error.message}" for name, error in errors.items())
    told = problem.detail if isinstance(problem, SqlError) else problem.message()
    return Rejected(row.place, reason or told, row.values or row.text, errors)
