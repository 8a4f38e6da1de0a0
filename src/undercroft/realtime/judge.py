"""Who may know of a change, and what they are told.

The rule is asked of the record as the change log kept it: as it was after the change, or
before its end. It is the compiled rule that viewing and listing obey, in one statement with
the topic's filter, and it runs once for all who would ask with the same values.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.changes import ChangeAction
from undercroft.database.engine import Engine, QueryTimeout, Row, Value
from undercroft.errors import BadRequest, Forbidden, Problem
from undercroft.hooks.failures import HookFailed, HooksBusy, HookTimeout
from undercroft.http.fields import parse_fields, pick
from undercroft.query.plan import Plan, Plans
from undercroft.query.scope import Identity, Scope
from undercroft.query.selects import Question, visible_columns
from undercroft.realtime.topics import EVERY, Topic
from undercroft.records.access import Access
from undercroft.records.enrich import is_enriched, render_json
from undercroft.records.expand import expand_records
from undercroft.records.hearers import Action, Hearer, depends_on_others
from undercroft.records.host import Work
from undercroft.records.read import guard, load_rows

NOT_TOLD: Final = (BadRequest, Forbidden, QueryTimeout, HookFailed, HookTimeout, HooksBusy)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True, eq=False)
class Happening:
    """One change of a record: what it was then, with a value for each column. Outcomes are kept for those alike.

    `is_read_now` says that it may show what came after the change.
    """

    position: int
    collection: Collection
    record_id: str
    action: ChangeAction
    columns: Mapping[str, Value]
    decided: Mapping[str, bool] = field(default_factory=dict)
    """What the delete itself found out, see `records.hearers`."""
    is_read_now: bool = False
    verdicts: dict[Hashable, bool] = field(default_factory=dict)
    bodies: dict[Hashable, bytes] = field(default_factory=dict)


class NobodyKnows(Problem):
    """Whether somebody might know of a record is decided by what has gone with it."""

    code = "nobody_knows"


@dataclass(slots=True)
class Judge:
    """Judges with what a backend has. `work` is what hooks work with that say what records show."""

    engine: Engine
    plans: Plans
    work: Work | None = None

    async def event(
        self, catalog: Catalog, happening: Happening, topic: Topic, identity: Identity | None
    ) -> bytes | None:
        """What those who listen to a topic as somebody are told; None when it is not for them.

        Raises `NOT_TOLD` for a rule or a filter that cannot work, and what makes every question fail.
        """
        scope = Scope(identity, "realtime", "GET", topic.query, topic.headers)
        access = Access(self.engine.read, self.plans, catalog, scope)
        if not await self._may_know(access, happening, topic):
            return None
        body = await self._body(access, happening, topic)
        return b"event:%s\ndata:%s\n\n" % (topic.text.encode(errors="replace"), body)

    async def _may_know(self, access: Access, happening: Happening, topic: Topic) -> bool:
        collection, filtered = happening.collection, topic.filter
        rule = guard(_action(topic), collection, access.scope)
        if topic.is_private and not access.scope.is_superuser:
            return False
        if rule and happening.action == "delete" and depends_on_others(access, collection, rule):
            key = Hearer.of(_action(topic), access.scope, rule).key(collection)
            if key not in happening.decided:
                raise NobodyKnows
            if not happening.decided[key]:
                return False
            rule = None
        if rule is None and filtered is None:
            return True
        shape = filtered.shape if filtered else None
        plan = await access.plan(Question("draft", collection.id, rule, shape))
        return await self._verdict(access, happening, plan, filtered.literals if filtered else ())

    async def _verdict(
        self, access: Access, happening: Happening, plan: Plan, literals: tuple[str | float, ...] = ()
    ) -> bool:
        values = plan.values(access.scope, literals, happening.columns)
        key = (plan.sql, *values)
        if key not in happening.verdicts:
            happening.verdicts[key] = bool(await access.run(plan.sql, values))
        return happening.verdicts[key]

    async def _body(self, access: Access, happening: Happening, topic: Topic) -> bytes:
        shows_address = happening.collection.is_auth and await self._shows_address(access, happening)
        expand, fields = topic.query.get("expand", ""), topic.query.get("fields", "")
        is_its_own = bool(expand) or (self.work is not None and is_enriched(self.work, happening.collection))
        identity = access.scope.identity if is_its_own else None
        who = (identity.collection.id, identity.id, identity.reach) if identity else ()
        key = (access.scope.is_superuser, shows_address, expand, fields, who)
        if key not in happening.bodies:
            happening.bodies[key] = await self._render(access, happening, topic, shows_address=shows_address)
        return happening.bodies[key]

    async def _render(self, access: Access, happening: Happening, topic: Topic, *, shows_address: bool) -> bytes:
        collection = happening.collection
        names = visible_columns(collection, is_superuser=access.scope.is_superuser)
        is_hidden = collection.is_auth and not shows_address
        row: Row = tuple(None if is_hidden and n == "email" else happening.columns[n] for n in names)
        loaded = load_rows(access.reader_of(collection, names), [row])
        await expand_records(access, loaded, topic.query.get("expand", ""))
        record = _encode(loaded.records[0])
        if self.work is not None:
            record = await render_json(self.work, access, record)
        if fields := topic.query.get("fields", ""):
            record = _encode(pick(_decode(record), parse_fields(fields)))
        return b'{"record":%s,"action":"%s"}' % (record, happening.action.encode())

    async def _shows_address(self, access: Access, happening: Happening) -> bool:
        """Whether the e-mail address of an account is shown: by its own wish, to itself, to its managers."""
        identity, collection = access.scope.identity, happening.collection
        if access.scope.is_superuser or happening.columns["emailVisibility"]:
            return True
        if identity is not None and (identity.collection.id, identity.id) == (collection.id, happening.record_id):
            return True
        rule = collection.auth.manage_rule if collection.auth else None
        if not rule:
            return False
        return await self._verdict(access, happening, await access.plan(Question("draft", collection.id, rule)))


def _action(topic: Topic) -> Action:
    """Whose rule decides."""
    return "list" if topic.record == EVERY else "view"


def hearer_of(access: Access, collection: Collection, topic: Topic) -> Hearer | None:
    """Who must be asked for when records go: whoever listens under a rule that looks at others. Raises `NOT_TOLD`."""
    rule = guard(_action(topic), collection, access.scope)
    if rule is None or not depends_on_others(access, collection, rule):
        return None
    return Hearer.of(_action(topic), access.scope, rule)
