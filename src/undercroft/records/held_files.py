"""Which file a caller may have: the one that a record names, under the record's own view rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.file import FileField
from undercroft.collections.view_origins import origin_of
from undercroft.errors import NotFound
from undercroft.files.keys import BadKey, file_key
from undercroft.query.errors import FilterError, SuperusersOnly
from undercroft.query.lexer import lex
from undercroft.query.scope import system_scope
from undercroft.query.selects import Question
from undercroft.records.access import Access
from undercroft.records.read import guard

_ONE: Final = {"limit": 1, "offset": 0}


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that a record names, and where it is kept. `is_public` tells that everyone may have it."""

    key: str
    field: FileField
    is_public: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """The file that is asked for."""

    collection: Collection
    record_id: str
    name: str


async def find_held_file(access: Access, asked: Asked) -> HeldFile:
    """A file of a record, if the caller may have it; to know its name is enough unless its field is protected.

    Raises `NotFound`, whatever is wrong.
    """
    fields = asked.collection.file_fields
    if not fields or "\0" in asked.record_id + asked.name:
        raise NotFound
    try:
        field = None if all(field.protected for field in fields) else await _find_field(access, asked, None)
        if field is None or field.protected:
            field = await _find_field(access, asked, guard("view", asked.collection, access.scope))
        key = await _find_key(access, asked, field)
    except (SuperusersOnly, FilterError, BadKey) as problem:
        raise NotFound from problem
    is_public = not field.protected or asked.collection.view_rule == ""
    return HeldFile(key, field, is_public)


async def _find_field(access: Access, asked: Asked, rule: str | None) -> FileField:
    """The field of the record that names the file, a protected one first; the record found under a rule."""
    fields = sorted(asked.collection.file_fields, key=lambda field: not field.protected)
    question = Question("one", asked.collection.id, rule, columns=tuple(field.name for field in fields))
    plan = await access.plan(question)
    rows = await access.run(plan.sql, plan.values(access.scope, (), {"id": asked.record_id}))
    for field, value in zip(fields, rows[0] if rows else (), strict=False):
        if asked.name in field.to_list(field.from_column(value)):
            return field
    raise NotFound


async def _find_key(access: Access, asked: Asked, field: FileField) -> str:
    """Where the file is kept: with its record, which for a view is the one that the view shows."""
    if not asked.collection.is_view:
        return file_key(asked.collection.id, asked.record_id, asked.name)
    origin = origin_of(field, access.catalog)
    if origin is None:
        raise NotFound
    owner = await _find_owner(access, asked, *origin)
    return file_key(origin[0].id, owner, asked.name)


async def _find_owner(access: Access, asked: Asked, origin: Collection, field: Field) -> str:
    """The id of the record that a file came with: in most views the same as the view's own."""
    is_multiple = isinstance(field, FileField) and field.is_multiple
    holds = f"{field.name}:each ?= {{:name}}" if is_multiple else f"{field.name} = {{:name}}"
    trusted = access.asking(system_scope(access.catalog))
    for condition in (f"id = {{:id}} && {holds}", holds):
        values = {"name": asked.name} | ({"id": asked.record_id} if "{:id}" in condition else {})
        lexed = lex(condition, values)
        question = Question("page", origin.id, None, lexed.shape, columns=("id",))
        plan = await trusted.plan(question)
        rows: Sequence[Sequence[object]] = await trusted.run(plan.sql, plan.values(trusted.scope, lexed.literals, _ONE))
        if rows:
            return str(rows[0][0])
    raise NotFound
