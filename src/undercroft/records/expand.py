"""Expanding relations: one statement for each level of a path, under the related collection's view rule.

    expand=author,comments_via_post.author

`author` is a relation of the record; `comments_via_post` goes back from the
records of `comments` whose `post` field points here. Names that mean nothing, or
nothing to this caller, are left out without an error.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import add
from typing import Any

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.relation import RelationField
from undercroft.database.engine import Row, Value
from undercroft.errors import BadRequest
from undercroft.query.errors import FilterError, SuperusersOnly
from undercroft.query.selects import Question, plan_for
from undercroft.records.access import Access
from undercroft.records.cipher import open_rows
from undercroft.records.loaded import Loaded

MAX_DEPTH = 6
MAX_REFERRING = 1000
MAX_SEGMENTS = 500
MAX_EXPANDED = 100_000  # records in one answer, each counted as often as it is written
_OLD_FORM = re.compile(r"(\w+)\((\w+)\)")

Tree = Mapping[str, "Tree"]


class ExpandTooLarge(BadRequest):
    """The expand text has more parts, or its records are more, than one answer may hold."""

    code = "expand_too_large"


@dataclass(frozen=True, slots=True)
class Hop:
    """One segment: where it leads and how records are tied together. `via` is set when it goes back."""

    key: str
    collection: Collection
    field: RelationField
    is_back: bool

    @property
    def is_single(self) -> bool:
        if self.is_back:
            return self.field.name in self.collection.uniquely_indexed
        return not self.field.is_multiple


@lru_cache(maxsize=256)
def parse_expand(text: str) -> Tree:
    """The segments of an expand text as a tree; paths with the same beginning share it. Raises `ExpandTooLarge`."""
    root: dict[str, Any] = {}
    count = 0
    for path in text.replace(" ", "").split(","):
        level = root
        for segment in path.split(".")[:MAX_DEPTH]:
            if not segment:
                break
            count += segment not in level
            level = level.setdefault(segment, {})
    if count > MAX_SEGMENTS:
        raise ExpandTooLarge(f"The expand parameter names more than {MAX_SEGMENTS} relations.")
    return root


async def expand_records(access: Access, loaded: Loaded, text: str) -> None:
    """Put related records into the `expand` of each record. Raises `ExpandTooLarge`."""
    if text and loaded.records:
        inside = access.within("expand")
        await _expand_level(inside, loaded, _possible(inside, loaded.codec.collection, parse_expand(text)))


def _possible(access: Access, collection: Collection, tree: Tree) -> Tree:
    """The paths that lead somewhere for this caller; one wrong segment ends the whole path."""
    found: dict[str, Tree] = {}
    for segment, below in tree.items():
        hop = find_hop(access, collection, segment)
        if hop is None or not _may_see(access, hop.collection):
            continue
        left = _possible(access, hop.collection, below)
        if left or not below:
            found[segment] = left
    return found


def _may_see(access: Access, collection: Collection) -> bool:
    """Whether the caller may see any record of a collection, with the API key they may have come with."""
    reach = access.scope.identity.reach if access.scope.identity is not None else None
    is_covered = reach is None or collection.id in reach
    return is_covered and (collection.view_rule is not None or access.scope.is_superuser)


async def _expand_level(access: Access, loaded: Loaded, tree: Tree) -> list[int]:
    """Expand records; how many each of them is then, with all that is inside it."""
    sizes = [1] * len(loaded.records)
    if not sizes:
        return sizes
    for segment, below in tree.items():
        hop = find_hop(access, loaded.codec.collection, segment)
        if hop is None:
            continue
        try:
            added = await _expand_hop(access, loaded, hop, below)
        except (FilterError, SuperusersOnly):
            # A rule that broke with a change elsewhere hides what it guards.
            continue
        sizes = list(map(add, sizes, added))
        if sum(sizes) > MAX_EXPANDED:
            raise ExpandTooLarge(f"The expanded answer would hold more than {MAX_EXPANDED:,} records.")
    return sizes


async def _expand_hop(access: Access, loaded: Loaded, hop: Hop, below: Tree) -> list[int]:
    """Expand one relation; how many records it put into each."""
    tied = _ids_back if hop.is_back else _ids_forward
    related, ids_by_parent = await tied(access, loaded, hop)
    sizes = await _expand_level(access, related, below)
    places = {record_id: place for place, record_id in enumerate(_ids(related))}
    added: list[int] = []
    for row, record in zip(loaded.rows, loaded.records, strict=True):
        expand = loaded.codec.expand_of(record)
        found = [places[i] for i in ids_by_parent.get(_row_id(loaded, row), ()) if i in places]
        found = found[:1] if hop.is_single else found
        added.append(sum(sizes[place] for place in found))
        if found:
            records = [related.records[place] for place in found]
            expand[hop.key] = records[0] if hop.is_single else records
    return added


async def _ids_forward(access: Access, loaded: Loaded, hop: Hop) -> tuple[Loaded, dict[str, list[str]]]:
    """The records that a relation field points to."""
    position = loaded.codec.position(hop.field.name)
    if position is None:
        return Loaded(access.reader_of(hop.collection, ("id",)), [], []), {}
    ids = {_row_id(loaded, row): _as_ids(row[position]) for row in loaded.rows}
    wanted = list(dict.fromkeys(i for some in ids.values() for i in some))
    question = Question("related", hop.collection.id, _rule(access, hop.collection))
    plan = plan_for(access.plans, access.catalog, question, access.scope)
    codec = access.reader_of(hop.collection, plan.columns)
    rows = await access.run(plan.sql, plan.values(access.scope, (), {"ids": _json(wanted)})) if wanted else []
    rows = await open_rows(access.run, hop.collection, plan.columns, rows)
    return Loaded(codec, rows, [codec.from_row(row) for row in rows]), ids


async def _ids_back(access: Access, loaded: Loaded, hop: Hop) -> tuple[Loaded, dict[str, list[str]]]:
    """The records whose relation field points here, at most 1,000 for each."""
    parents = _ids(loaded)
    question = Question("referring", hop.collection.id, _rule(access, hop.collection), via=hop.field.name)
    plan = plan_for(access.plans, access.catalog, question, access.scope)
    named: dict[str, Value] = {"ids": _json(parents), "each": MAX_REFERRING, "limit": MAX_EXPANDED + 1}
    rows = await access.run(plan.sql, plan.values(access.scope, (), named))
    codec = access.reader_of(hop.collection, plan.columns[1:])
    position = plan.columns.index("id", 1)
    ids: dict[str, list[str]] = defaultdict(list)
    own: dict[str, Row] = {}
    for row in rows:
        ids[str(row[0])].append(str(row[position]))
        own[str(row[position])] = row[1:]
    found = await open_rows(access.run, hop.collection, plan.columns[1:], list(own.values()))
    return Loaded(codec, found, [codec.from_row(row) for row in found]), ids


def find_hop(access: Access, collection: Collection, segment: str) -> Hop | None:
    """What a segment means in a collection; None when it means nothing, or nothing to this caller."""
    field = collection.field(segment)
    if isinstance(field, RelationField):
        target = access.catalog.find(field.collection_id)
        is_shown = access.scope.is_superuser or not field.hidden
        return Hop(segment, target, field, is_back=False) if target and is_shown else None
    old = _OLD_FORM.fullmatch(segment)
    name, _, via = segment.rpartition("_via_") if not old else (old[1], "", old[2])
    referring = access.catalog.find(name) if name else None
    back = referring.field(via) if referring else None
    if referring is None or not isinstance(back, RelationField) or back.collection_id != collection.id:
        return None
    return Hop(segment, referring, back, is_back=True) if access.scope.is_superuser or not back.hidden else None


def _rule(access: Access, collection: Collection) -> str | None:
    return None if access.scope.is_superuser else collection.view_rule or None


def _ids(loaded: Loaded) -> list[str]:
    return [_row_id(loaded, row) for row in loaded.rows]


def _row_id(loaded: Loaded, row: Row) -> str:
    position = loaded.codec.position("id")
    return str(row[position]) if position is not None else ""


def _as_ids(value: Value) -> list[str]:
    if not isinstance(value, str) or not value:
        return []
    if not value.startswith("["):
        return [value]
    ids: list[str] = msgspec.json.decode(value)
    return ids


def _json(ids: list[str]) -> str:
    return msgspec.json.encode(ids).decode()
