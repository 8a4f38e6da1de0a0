"""Guesses at passwords: how many of them are looked at.

Wrong passwords of an account are counted for all strangers together, wherever they come from: nobody gets
more tries by another address, another spelling or another request. Those of a name that nobody has are
counted as well, and for all its spellings. A device on which the account has logged in before has a count of
its own, so that strangers cannot lock out whose account it is. And the strangers of a network have a count
over all accounts, against who tries one password on many.

Counts are in the database, the same for all processes. A process looks at one guess at an
account after the other, and as long as nothing was wrong it writes nothing. Once something was, each
guess is counted before it is looked at, and given back when it was right: so no more than
the bound are looked at however many come at once, or one for each process if these are more.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from undercroft.auth.accounts import Accounts
from undercroft.auth.passwords import PasswordPool
from undercroft.auth.rations import Ration, give_back_ration, load_rations, ration_key, remember, take_ration
from undercroft.auth.sessions import Device
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Engine, Transaction
from undercroft.errors import FieldError, Problem, TooMany
from undercroft.http.client_ip import network_of
from undercroft.passwords import Verdict
from undercroft.query.scope import Identity
from undercroft.records.draft import Draft

SECONDS: Final = 900.0
MOST_BY_STRANGERS: Final = 5
MOST_BY_A_DEVICE: Final = 5
MOST_BY_A_NETWORK: Final = 100
_DAY: Final = 86400.0
_REMEMBERED: Final = 90 * _DAY
_RENEWED: Final = 60 * _DAY
_LONGEST_AGENT: Final = 200
_log = logging.getLogger("undercroft")


class TooManyGuesses(TooMany):
    """Too many wrong passwords were tried, at the account or from the network."""

    code = "too_many_guesses"
    default = "Too many failed attempts, please try again later."


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who tries: from where, as whom they are signed in, and whether their network is not counted."""

    device: Device
    account: Identity | None = None
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """A try at the password of an account, which is named by its id, or as whoever tries it names it.

    `typed` is how they name it, the same for spellings that differ little: as many tries with these are looked at
    whether there is such an account or not, so that nobody can tell by the count which spellings are of one.
    """

    collection: str
    account: str
    typed: str
    guesser: Guesser


async def look_at(
    engine: Engine, passwords: PasswordPool, guess: Guess, verify: Callable[[], Awaitable[Verdict]]
) -> Verdict:
    """What comes of a guess, which is counted when it is wrong. Raises `TooManyGuesses` and `LoginsBusy`."""
    return await _look_at(engine, passwords, await _bounds_of(engine, guess), verify)


@dataclass(frozen=True, slots=True)
class CountedPasswords:
    """The pool, for requests that change an account and have to know its password: what is wrong is counted.

    A hash has a salt, so it is of one account alone: wrong ones are counted for it, whoever sends them and as whom.
    """

    engine: Engine
    pool: PasswordPool

    async def hash(self, text: str) -> str:
        """A new hash of the text. Raises `UnusablePassword` and `LoginsBusy`."""
        return await self.pool.hash(text)

    async def judge(self, draft: Draft, field: PasswordField) -> FieldError | None:
        """Why the password that a draft would set is refused; see `PasswordPool.judge`."""
        return await self.pool.judge(draft, field)

    async def verify(self, text: str, stored: str) -> Verdict:
        """Whether the text is the password behind a stored hash. Raises `TooManyGuesses`, and what the pool raises."""
        bounds = {ration_key("guess", "old password", stored): MOST_BY_A_DEVICE}
        return await _look_at(self.engine, self.pool, bounds, lambda: self.pool.verify(text, stored))


async def _look_at(
    engine: Engine, passwords: PasswordPool, bounds: Mapping[str, int], verify: Callable[[], Awaitable[Verdict]]
) -> Verdict:
    whose = next(iter(bounds))
    if passwords.is_tried(whose):
        await _check(engine, bounds)  # what will be refused need not wait in line
    async with passwords.turn(whose):
        is_counted = bool(await _check(engine, bounds))
        if is_counted:
            await _count(engine, bounds)
        try:
            verdict = await verify()
        except Problem:
            if is_counted:
                await _give_back(engine, bounds)
            raise
        if verdict.ok and is_counted:
            await _give_back(engine, bounds)
        elif not (verdict.ok or is_counted):
            await engine.write(lambda tx: _take(tx, engine, bounds))
        return verdict


async def remember_device(backend: Accounts, account: Identity, device: Device) -> None:
    """Know a device again on which an account has logged in; that this cannot be kept is no reason to refuse."""
    engine, key = backend.engine, _device_key(account.collection.id, account.id, device)
    known = (await load_rations(engine, [key])).get(key)
    if known is not None and known.seconds > _RENEWED:
        return
    try:
        await engine.write(lambda tx: remember(tx, engine.dialect, key, _REMEMBERED))
    except Problem as problem:
        _log.warning("The device of a log-in will not be known again: %s", problem)


async def _bounds_of(engine: Engine, guess: Guess) -> Mapping[str, int]:
    """What a guess counts for, and how often it may be wrong there."""
    guesser, whose = guess.guesser, (guess.collection, guess.account)
    asking = guesser.account
    if asking is not None and (asking.collection.id, asking.id) == whose:
        return {ration_key("guess", *whose, "signed in"): MOST_BY_A_DEVICE}
    known = _device_key(*whose, guesser.device)
    if await load_rations(engine, [known]):
        return {ration_key("guess", known): MOST_BY_A_DEVICE}
    network = ration_key("guess", network_of(guesser.device.address))
    others = {} if guesser.is_excluded else {network: MOST_BY_A_NETWORK}
    typed = ration_key("guess", guess.collection, "typed", guess.typed)
    return {ration_key("guess", *whose): MOST_BY_STRANGERS, typed: MOST_BY_STRANGERS, **others}


def _device_key(collection: str, account: str, device: Device) -> str:
    return ration_key("device", collection, account, network_of(device.address), device.agent[:_LONGEST_AGENT])


async def _check(engine: Engine, bounds: Mapping[str, int]) -> Mapping[str, Ration]:
    """What was counted by now. Raises `TooManyGuesses` when that is all there may be."""
    counted = await load_rations(engine, tuple(bounds))
    waits = [ration.wait for key, ration in counted.items() if ration.count >= bounds[key]]
    if waits:
        raise TooManyGuesses(retry_after=max(waits))
    return counted


async def _count(engine: Engine, bounds: Mapping[str, int]) -> None:
    """Count a guess before it is looked at. Raises `TooManyGuesses` when others were faster."""
    taken = await engine.write(lambda tx: _take(tx, engine, bounds))
    waits = [ration.wait for key, ration in taken.items() if ration.count > bounds[key]]
    if waits:
        raise TooManyGuesses(retry_after=max(waits))


async def _take(tx: Transaction, engine: Engine, bounds: Mapping[str, int]) -> Mapping[str, Ration]:
    return {key: await take_ration(tx, engine.dialect, key, SECONDS) for key in bounds}


async def _give_back(engine: Engine, bounds: Mapping[str, int]) -> None:
    async def give_back(tx: Transaction) -> None:
        for key in bounds:
            await give_back_ration(tx, engine.dialect, key)

    await engine.write(give_back)
