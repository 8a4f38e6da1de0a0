"""What clients wish to hear, in the form that one process passes on to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from undercroft.auth.standing import grant_of
from undercroft.collections.catalog import Catalog
from undercroft.database.engine import Engine
from undercroft.errors import BadRequest, Forbidden, NotFound, Problem
from undercroft.query.scope import Identity
from undercroft.realtime.broker import TooManyListeners, key_of
from undercroft.realtime.neighbours import Asked
from undercroft.records.record import find_identity

FULFILLED: Final = "ok"


class UnknownClient(NotFound):
    """No connection that listens has that id."""

    code = "unknown_client"
    default = "Missing or invalid client id."


class WrongAddress(BadRequest):
    """The connection was opened from another address."""

    code = "wrong_address"
    default = "Invalid realtime client."


class WrongAccount(Forbidden):
    """The connection listens as another account."""

    code = "wrong_account"
    default = "The current and the previous request authorization don't match."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to hear: texts of topics, as somebody who is signed in, or as a guest.

    `address` is where the wish comes from. `expires` is when the token does that came with
    it (seconds since 1970, 0 for never), `session` what it came with: a session, a log-in, or an API key.
    """

    topics: Sequence[str]
    identity: Identity | None
    address: str
    expires: float = 0.0
    session: str = ""


_PROBLEMS: Final[Mapping[str, type[Problem]]] = {
    problem.code: problem for problem in (UnknownClient, WrongAddress, WrongAccount, TooManyListeners)
}


def problem_of(answer: str) -> Problem | None:
    """What an answer from another process says was wrong."""
    return None if answer == FULFILLED else _PROBLEMS.get(answer, UnknownClient)()


def write_down(wish: Wish) -> Asked:
    """A wish for another process; what proves who wishes is no secret."""
    who = wish.identity
    collection, account = (who.collection.id, who.id) if who else ("", "")
    proof = _proof(who) if who else ""
    return Asked(wish.topics, wish.address, wish.expires, wish.session, collection, account, proof)


async def read_back(engine: Engine, catalog: Catalog, asked: Asked) -> Wish:
    """A wish from another process; whose tokens were ended in the meantime is a guest."""
    identity = await _find(engine, catalog, asked) if asked.account else None
    return Wish(asked.topics, identity, asked.address, asked.expires, asked.session)


async def _find(engine: Engine, catalog: Catalog, asked: Asked) -> Identity | None:
    collection = catalog.find(asked.account_collection)
    if collection is None or not collection.is_auth:
        return None
    identity = await find_identity(engine.read, engine.dialect, collection, {"id": asked.account})
    if identity is not None and (grant := await grant_of(engine, identity, asked.session)):
        identity = replace(identity, grant=grant)
    return identity if identity is not None and _proof(identity) == asked.proof else None


def _proof(identity: Identity) -> str:
    return sha256("\n".join(key_of(identity)).encode()).hexdigest()
