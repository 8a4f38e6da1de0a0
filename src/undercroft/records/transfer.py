"""Records in and out in bulk.

An import goes the way a superuser's create goes, field by field and check by
check, many rows in one transaction and each in a savepoint of its own: a row
that is refused leaves no trace and stops nothing. Every row ends up imported or
rejected with its reason. An export reads page after page, by id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Engine, Transaction
from undercroft.dates import parse_date
from undercroft.errors import BadRequest, FieldError, Invalid
from undercroft.files.local import LocalStore
from undercroft.passwords import Verdict
from undercroft.query.scope import Identity, Scope
from undercroft.records.access import Access
from undercroft.records.draft import Submission
from undercroft.records.faithful import loss
from undercroft.records.mapping import FieldMapping, Target
from undercroft.records.prepare import Desk, Hasher, Prepared, prepare_write
from undercroft.records.read import ListParams, list_records
from undercroft.records.sources import SourceRow
from undercroft.records.write import Writer

BATCH: Final = 500
_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")


class DryRun(Exception):
    """Ends a transaction that was only tried."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not imported, and why; `errors` by field where fields are at fault."""

    place: str
    reason: str
    row: Any
    errors: Mapping[str, FieldError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row with its slow parts done."""

    prepared: Prepared
    dates: Mapping[str, str]


@dataclass(slots=True)
class Importer:
    """Stores rows in a collection; `access` is a superuser's."""

    engine: Engine
    access: Access
    files: LocalStore
    hasher: Hasher
    mapping: FieldMapping
    is_lenient: bool = False
    is_dry: bool = False
    imported: int = 0
    _found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def collection(self) -> Collection:
        return self.mapping.collection

    async def store(self, rows: Sequence[SourceRow]) -> list[Rejected]:
        """Import a batch of rows in one transaction; those that were rejected, in their order."""
        problems: dict[int, BadRequest] = {}
        ready: dict[int, _Ready] = {}
        for number, row in enumerate(rows):
            try:
                ready[number] = await self._prepare(row)
            except BadRequest as problem:
                problems[number] = problem
        problems |= await self._write(ready)
        self.imported += len(rows) - len(problems)
        return [_reject(rows[number], problem) for number, problem in sorted(problems.items())]

    async def _write(self, ready: Mapping[int, _Ready]) -> dict[int, BadRequest]:
        async def operation(transaction: Transaction) -> None:
            refused.clear()  # an engine may try an operation more than once
            writer = Writer(self.access.through(transaction.run), transaction, self.files)
            outcomes = [(number, await self._try(writer, row)) for number, row in ready.items()]
            refused.update({number: problem for number, problem in outcomes if problem})
            if self.is_dry:
                raise DryRun

        refused: dict[int, BadRequest] = {}
        with suppress(DryRun):
            await self.engine.write(operation)
        return refused

    async def _try(self, writer: Writer, row: _Ready) -> BadRequest | None:
        """Store one row in a savepoint; what was wrong with it."""
        run = writer.transaction.run
        await run("SAVEPOINT imported_row")
        problem: BadRequest | None = None
        try:
            draft = await writer.create(self.collection, row.prepared)
            if row.dates:
                await self._set_dates(writer, draft.values["id"], row.dates)
        except BadRequest as refusal:
            problem = refusal
            await run("ROLLBACK TO imported_row")
        await run("RELEASE imported_row")
        return problem

    async def _set_dates(self, writer: Writer, record_id: str, dates: Mapping[str, str]) -> None:
        """Put the dates of the file in place of those that a create sets."""
        quote, placeholder = self.access.dialect.quote, self.access.dialect.placeholder
        sets = ", ".join(f"{quote(name)} = {placeholder(n)}" for n, name in enumerate(dates, 1))
        where = f"{quote('id')} = {placeholder(len(dates) + 1)}"
        sql = f"UPDATE {quote(self.collection.name)} SET {sets} WHERE {where}"
        await writer.transaction.run(sql, [*dates.values(), record_id])

    async def _prepare(self, row: SourceRow) -> _Ready:
        if row.problem:
            raise BadRequest(row.problem)
        body = await self._body(row)
        dates = {each.name: parse_date(body.pop(each.name)) for each in self._dates_in(body)}
        if not any(isinstance(each, PasswordField) for each in self.collection.fields):
            return _Ready(Prepared(Submission(body)), dates)
        if self.collection.is_auth and "password" in body:
            body["passwordConfirm"] = body["password"]
        desk = Desk(self.access, _KeepHashes(self.hasher), self.files)
        return _Ready(await prepare_write(desk, self.collection, None, body, {}), dates)

    async def _body(self, row: SourceRow) -> dict[str, Any]:
        """The row by field, as the API takes it. Raises `Invalid` for values that would be lost."""
        body: dict[str, Any] = {}
        errors: dict[str, FieldError] = {}
        for target, given in self.mapping.apply(row.values):
            value, error = await self._look_up(target, given) if target.lookup else (given, None)
            errors |= {target.field.name: error} if error else {}
            if target.field.type == "geoPoint" and target.part:
                body.setdefault(target.field.name, {})[target.part] = _coordinate(value)
            else:
                body[target.field.name] = _adapt(target.field, value)
        if not self.is_lenient:
            fields = self.collection.by_name
            errors |= {name: error for name, value in body.items() if (error := loss(fields[name], value))}
        if errors:
            raise Invalid(errors)
        return body

    def _dates_in(self, body: Mapping[str, Any]) -> list[Field]:
        return [each for each in self.collection.fields if isinstance(each, AutodateField) and body.get(each.name)]

    async def _look_up(self, target: Target, value: Any) -> tuple[str, FieldError | None]:
        """The id of the one related record that has the value in its lookup field."""
        if target.lookup is None or value in ("", None):
            return "", None
        collection, key = target.lookup
        wanted = key.to_column(key.cast(value))
        known = self._found.get((target.field.name, str(wanted)))
        if known is None:
            dialect = self.access.dialect
            where = f"{dialect.quote(key.name)} = {dialect.placeholder(1)}"
            sql = f"SELECT {dialect.quote('id')} FROM {dialect.quote(collection.name)} WHERE {where} LIMIT 2"
            known = [str(found[0]) for found in await self.access.run(sql, [wanted])]
            self._found[target.field.name, str(wanted)] = known
        if len(known) == 1:
            return known[0], None
        count = "More than one record" if known else "No record"
        return "", FieldError("import_not_found", f"{count} of {collection.name} has {key.name} {value!r}.")


@dataclass(frozen=True, slots=True)
class _KeepHashes:
    """Takes bcrypt hashes as they are: accounts that come from elsewhere keep their passwords."""

    hasher: Hasher

    async def hash(self, text: str) -> str:
        return text if text.startswith(_BCRYPT) and len(text) == 60 else await self.hasher.hash(text)

    async def verify(self, text: str, stored: str) -> Verdict:
        return await self.hasher.verify(text, stored)


def system_scope(catalog: Catalog) -> Scope:
    """The scope of whoever runs the program: no rule binds them."""
    return Scope(identity=Identity(catalog.superusers, {"id": ""}))


async def export_pages(
    access: Access, collection: Collection, text: str = ""
) -> AsyncIterator[tuple[int, list[dict[str, Any]]]]:
    """All records that match a filter, by id: pages of records, with how many there are in all."""
    page = await list_records(access, collection, ListParams(per_page=BATCH, filter=text, sort="id"))
    total = page.total_items
    while page.items:
        records: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(page.items))
        yield total, records
        last = records[-1]["id"]
        rest = f'({text}\n) && id > "{last}"' if text else f'id > "{last}"'
        page = await list_records(access, collection, ListParams(1, BATCH, True, rest, "id"))


def exported_fields(collection: Collection) -> list[str]:
    """The names of the fields that leave: all but passwords and what signs tokens."""
    secret = {"tokenKey"} if collection.is_auth else set()
    return [each.name for each in collection.fields if not isinstance(each, PasswordField) and each.name not in secret]


def _adapt(target: Field, value: Any) -> Any:
    """Spellings that files have and the API has not: whole numbers for texts, GeoJSON points."""
    if isinstance(value, int) and not isinstance(value, bool) and target.type == "text":
        return str(value)
    if isinstance(target, GeoPointField) and isinstance(value, dict) and value.get("type") == "Point":
        return dict(zip(("lon", "lat"), value.get("coordinates") or (), strict=False))
    return value


def _coordinate(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _reject(row: SourceRow, problem: BadRequest) -> Rejected:
    errors = {name: error for name, error in problem.data.items() if isinstance(error, FieldError)}
    reason = " ".join(f"{name}: {error.message}" for name, error in errors.items())
    return Rejected(row.place, reason or problem.message(), row.values or row.text, errors)
