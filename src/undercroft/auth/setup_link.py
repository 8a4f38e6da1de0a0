"""The set-up link: who opens it first makes the first superuser.

Made when a server starts and there is no superuser. Only a hash of its token is
kept, for half an hour; a new link ends the old one, and using it ends it too.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import Any, Final

from undercroft.auth.superusers import WithRecords, create_superuser
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import delete_param, load_param, save_param
from undercroft.errors import NotFound
from undercroft.ids import random_text

PARAM: Final = "setupLink"
SECONDS: Final = 30 * 60
_LENGTH: Final = 40


class LinkSpent(NotFound):
    """The link was used, has expired, or never was one."""

    code = "setup_link_spent"
    default = "This set-up link is no longer valid. Restart the server to get a new one."


async def needs_setup(backend: WithRecords) -> bool:
    """Whether there is no superuser."""
    engine = backend.engine
    table = engine.dialect.quote(backend.catalog.superusers.name)
    return not await engine.read(f"SELECT 1 FROM {table} LIMIT 1")


async def make_link(engine: Engine) -> str:
    """The token of a new link."""
    token = random_text(_LENGTH)
    kept = {"hash": _hash(token), "until": time.time() + SECONDS}

    async def save(tx: Transaction) -> None:
        await save_param(tx, engine.dialect, PARAM, kept)

    await engine.write(save)
    return token


async def check_link(engine: Engine, token: str) -> None:
    """Raises `LinkSpent` unless the token opens the set-up page."""
    _check(await load_param(engine.read, engine.dialect, PARAM), token)


async def use_link(backend: WithRecords, token: str, email: str, password: str) -> None:
    """Make the first superuser and end the link.

    Raises `LinkSpent`, and `Invalid` for bad input, which does not end the link.
    """
    kept = await _take(backend.engine, token)
    if not await needs_setup(backend):
        raise LinkSpent
    try:
        await create_superuser(backend, email, password)
    except BaseException:
        await _put_back(backend.engine, kept)
        raise


async def has_old_link(engine: Engine) -> bool:
    """Whether there is a link that opens nothing any more."""
    return _is_old(await load_param(engine.read, engine.dialect, PARAM))


async def forget_old_link(tx: Transaction, dialect: Dialect) -> None:
    """Forget a link that opens nothing any more; one that was made in the meantime stays."""
    if _is_old(await load_param(tx.run, dialect, PARAM)):
        await delete_param(tx, dialect, PARAM)


async def _take(engine: Engine, token: str) -> Any:
    """What is kept of the link, which is gone then: of two who come at once one gets it."""

    async def take(tx: Transaction) -> Any:
        kept = await load_param(tx.run, engine.dialect, PARAM)
        _check(kept, token)
        if not await delete_param(tx, engine.dialect, PARAM):
            raise LinkSpent
        return kept

    return await engine.write(take)


async def _put_back(engine: Engine, kept: Any) -> None:
    async def save(tx: Transaction) -> None:
        await save_param(tx, engine.dialect, PARAM, kept)

    await engine.write(save)


def _check(kept: Any, token: str) -> None:
    if kept is None or not hmac.compare_digest(kept["hash"], _hash(token)) or _is_old(kept):
        raise LinkSpent


def _is_old(kept: Any) -> bool:
    return kept is not None and bool(kept["until"] < time.time())


def _hash(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()
