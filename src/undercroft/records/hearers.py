"""Who listens to records under a rule that looks at other records as well.

Whether somebody may know of a delete is decided by what was there before it. For most rules
that is the record itself, which the change log keeps. Some rules also ask others: members
of a team, who is blocked. Those may be deleted with it, or changed a moment later. So who
listens under such a rule is written down, and the delete itself asks the rule for each of
them, before anything goes; its entry in the change log has the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.errors import BadRequest, Forbidden
from undercroft.query.scope import Identity, Scope
from undercroft.query.selects import Question, asks_others
from undercroft.records.access import Access
from undercroft.records.read import guard
from undercroft.records.record import find_identity
from undercroft.records.rules import satisfies

Action = Literal["list", "view"]
SECONDS: Final = 900.0  # that somebody is asked for after they were last heard of
_KEPT: Final = 100
_GUEST: Final = "guest-"
_ASKED: Final = re.compile(r"@request\.(query|headers)\.(\w+)")
MOST_QUESTIONS: Final = 2_000  # in one transaction; who is not asked for hears that something may have happened
MOST_GUESTS: Final = MOST_QUESTIONS // 2  # of one collection


class Hearer(msgspec.Struct, frozen=True):
    """Somebody who listens: an account, or a guest without names, and what the rule looks at of their request."""

    action: Action
    account_collection: str
    account: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, action: Action, scope: Scope, rule: str) -> Hearer:
        """Whoever asks under a rule; those are the same for whom it comes out the same."""
        who, asked = scope.identity, _asked_by(rule)
        query = {name: text for name, text in scope.query.items() if ("query", name) in asked}
        headers = {name: scope.headers[name] for kind, name in asked if kind == "headers" and name in scope.headers}
        return cls(action, who.collection.id if who else "", who.id if who else "", query, headers)

    def key(self, collection: Collection) -> str:
        """What this hearer of a collection is known by, which tells guests from accounts."""
        mark = "" if self.account else _GUEST
        return mark + sha256(msgspec.json.encode([collection.id, self], order="sorted")).hexdigest()[:32]


@lru_cache(maxsize=_KEPT)
def _asked_by(rule: str) -> frozenset[tuple[str, str]]:
    """Which names of `@request.query` and `@request.headers` stand in a rule, also as text, which does no harm."""
    return frozenset(_ASKED.findall(rule))


def depends_on_others(access: Access, collection: Collection, rule: str | None) -> bool:
    """Whether a rule looks at more than the record and the request."""
    if not rule:
        return False
    known: dict[Any, bool] = collection.__dict__.setdefault("_asks_others", {})
    identity = access.scope.identity
    key = (access.catalog.version, rule, identity.collection.id if identity else None)
    if key not in known:
        if len(known) > _KEPT:
            known.clear()
        question = Question("draft", collection.id, rule)
        known[key] = asks_others(access.catalog, access.dialect, question, access.scope)
    return known[key]


async def keep_hearers(tx: Transaction, dialect: Dialect, hearers: Mapping[str, tuple[str, Hearer]]) -> None:
    """Have these asked for from now on, for a while; by key, each with its collection's id."""
    mark = dialect.placeholder
    sql = f"""INSERT INTO "_hearers" ("id", "collection", "hearer", "until")
        VALUES ({mark(1)}, {mark(2)}, {mark(3)}, {dialect.clock()} + {mark(4)})
        ON CONFLICT ("id") DO UPDATE SET "until" = excluded."until\""""
    for key, (collection_id, hearer) in hearers.items():
        sealed = tx.texts.seal_text(_place(key), msgspec.json.encode(hearer).decode())
        await tx.run(sql, (key, collection_id, sealed, SECONDS))


def _place(key: str) -> str:
    return f"_hearers|hearer|{key}"


class Hearings:
    """The questions of one transaction, asked before records go."""

    def __init__(self, access: Access, transaction: Transaction) -> None:
        self._access = access
        self._transaction = transaction
        self._left = MOST_QUESTIONS
        self._known: dict[str, list[tuple[str, Hearer]]] = {}
        self._accounts: dict[tuple[str, str], Identity | None] = {}

    async def verdicts(self, collection: Collection, record_id: str) -> dict[str, bool]:
        """Whether each hearer may know of the record, by key; nothing while nobody listens."""
        if not self._transaction.is_heard("record"):
            return {}
        found: dict[str, bool] = {}
        for key, hearer in await self._hearers(collection):
            if self._left <= 0:
                break
            self._left -= 1
            found[key] = await self._ask(collection, record_id, hearer)
        return found

    async def _hearers(self, collection: Collection) -> list[tuple[str, Hearer]]:
        if collection.id not in self._known:
            dialect = self._access.dialect
            # Who still listens was written down last; guests, of whom there may be any number, come after accounts.
            sql = f"""SELECT "id", "hearer" FROM "_hearers"
                WHERE "collection" = {dialect.placeholder(1)} AND "until" > {dialect.clock()}
                ORDER BY CASE WHEN "id" LIKE '{_GUEST}%' THEN 1 ELSE 0 END, "until" DESC LIMIT {MOST_QUESTIONS}"""
            rows = [(str(key), str(kept)) for key, kept in await self._transaction.run(sql, (collection.id,))]
            decode, texts = msgspec.json.Decoder(Hearer).decode, self._transaction.texts
            found = [(key, decode(texts.open_text(_place(key), kept))) for key, kept in rows]
            guests = [each for each in found if not each[1].account]
            self._known[collection.id] = [*found[: len(found) - len(guests)], *guests[:MOST_GUESTS]]
        return self._known[collection.id]

    async def _ask(self, collection: Collection, record_id: str, hearer: Hearer) -> bool:
        identity = await self._account(hearer)
        if hearer.account and identity is None:
            return False
        scope = Scope(identity, "realtime", "GET", hearer.query, hearer.headers)
        access = self._access.asking(scope)
        # What fails must not take the delete with it.
        await self._transaction.run("SAVEPOINT hearing")
        try:
            rule = guard(hearer.action, collection, scope)
            may_know = rule is None or await satisfies(access, collection, rule, record_id)
        except (BadRequest, Forbidden):
            await self._transaction.run("ROLLBACK TO SAVEPOINT hearing")
            may_know = False
        await self._transaction.run("RELEASE SAVEPOINT hearing")
        return may_know

    async def _account(self, hearer: Hearer) -> Identity | None:
        key = (hearer.account_collection, hearer.account)
        if key not in self._accounts:
            home = self._access.catalog.find(hearer.account_collection) if hearer.account else None
            where, run = {"id": hearer.account}, self._transaction.run
            self._accounts[key] = await find_identity(run, self._access.dialect, home, where) if home else None
        return self._accounts[key]
