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
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Engine, SqlError, Transaction
from undercroft.errors import BadRequest, FieldError, Invalid
from undercroft.passwords import Verdict
from undercroft.records.access import Access
from undercroft.records.draft import Submission
from undercroft.records.filing import Filing
from undercroft.records.import_row import ImportRow, RowReader
from undercroft.records.mapping import FieldMapping, Target
from undercroft.records.prepare import Desk, Hasher, Prepared, prepare_write
from undercroft.records.sources import SourceRow
from undercroft.records.write import Writer

BATCH: Final = 500
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
    """What became of one batch."""

    read: int
    rejected: Sequence[Rejected]


@dataclass(slots=True)
class _Batch:
    """Rows on their way: those that are ready for the database, and what is wrong with others, by place."""

    rows: Sequence[SourceRow]
    ready: dict[int, tuple[ImportRow, Prepared]] = field(default_factory=dict)
    problems: dict[int, BadRequest] = field(default_factory=dict)


@dataclass(slots=True)
class Importer:
    """Stores rows in a collection; `access` is a superuser's."""

    engine: Engine
    access: Access
    filing: Filing
    hasher: Hasher
    mapping: FieldMapping
    is_lenient: bool = False
    is_dry: bool = False
    _found: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def collection(self) -> Collection:
        return self.mapping.collection

    async def run(self, rows: Iterator[SourceRow]) -> AsyncIterator[Imported]:
        """Import all rows; what became of each batch. One is made ready while the one before it is written."""
        reader = RowReader(self.mapping, is_lenient=self.is_lenient)
        writing: asyncio.Task[Imported] | None = None
        while taken := list(islice(rows, BATCH)):
            batch = await self._prepare(taken, reader)
            if writing is not None:
                yield await writing
            writing = asyncio.create_task(self._store(batch))
            await asyncio.sleep(0)  # lets the writing begin
        if writing is not None:
            yield await writing

    async def _prepare(self, rows: Sequence[SourceRow], reader: RowReader) -> _Batch:
        batch = _Batch(rows)
        has_passwords = any(isinstance(each, PasswordField) for each in self.collection.fields)
        for number, source in enumerate(rows):
            try:
                row = reader.read(source)
                prepared = await self._hash(row) if has_passwords else Prepared(Submission(row.body))
                batch.ready[number] = (row, prepared)
            except BadRequest as problem:
                batch.problems[number] = problem
        return batch

    async def _hash(self, row: ImportRow) -> Prepared:
        if self.collection.is_auth and "password" in row.body:
            row.body["passwordConfirm"] = row.body["password"]
        desk = Desk(self.access, _KeepHashes(self.hasher))
        return await prepare_write(desk, self.collection, None, row.body, {})

    async def _store(self, batch: _Batch) -> Imported:
        """Write a batch in one transaction."""
        try:
            refused = await self._write(batch, has_savepoints=any(row.dates for row, _ in batch.ready.values()))
        except RefusedByDatabase:
            self._found.clear()  # what was found may be a record that was undone
            refused = await self._write(batch, has_savepoints=True)
        problems = batch.problems | refused
        return Imported(len(batch.rows), [_reject(batch.rows[number], problems[number]) for number in sorted(problems)])

    async def _write(self, batch: _Batch, *, has_savepoints: bool) -> dict[int, BadRequest]:
        async def operation(transaction: Transaction) -> None:
            refused.clear()  # an engine may try an operation more than once
            writer = Writer(self.access.through(transaction.run), transaction)
            put = self._put_apart if has_savepoints else self._put
            for number, (row, prepared) in batch.ready.items():
                try:
                    await put(writer, row, prepared)
                except BadRequest as problem:
                    if not has_savepoints and not _is_check(problem):
                        raise RefusedByDatabase from problem
                    refused[number] = problem
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
        where = f"{dialect.quote(key.name)} = {dialect.placeholder(1)}"
        sql = f"SELECT {dialect.quote('id')} FROM {dialect.quote(collection.name)} WHERE {where} LIMIT 2"
        rows = await writer.transaction.run(sql, [wanted])
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
        return text if text.startswith(_BCRYPT) and len(text) == 60 else await self.hasher.hash(text)

    async def verify(self, text: str, stored: str) -> Verdict:
        return await self.hasher.verify(text, stored)


def _is_check(problem: BadRequest) -> bool:
    """Whether a refusal comes from a check, before anything was written."""
    return isinstance(problem, Invalid) and problem.__cause__ is None


def _reject(row: SourceRow, problem: BadRequest) -> Rejected:
    errors = {name: error for name, error in problem.data.items() if isinstance(error, FieldError)}
    reason = " ".join(f"{name}: {error.message}" for name, error in errors.items())
    told = problem.detail if isinstance(problem, SqlError) else problem.message()
    return Rejected(row.place, reason or told, row.values or row.text, errors)
