"""A second factor from an authenticator app: set up by its account, asked for at each log-in, never used twice.

The last step whose code was used is kept, and moved on by an update that asks for an older one: of
many who come with one code at once one gets in. A recovery code is deleted by who uses it.
"""

from __future__ import annotations

import time
from typing import Final

from undercroft.auth.accounts import Accounts
from undercroft.auth.guesses import Bound, count_try
from undercroft.auth.letters_asked_for import WithLetters
from undercroft.auth.notices import tell_of_change
from undercroft.auth.recovery_codes import new_recovery_codes, save_recovery_codes, use_recovery_code
from undercroft.auth.superusers import UnknownSuperuser
from undercroft.auth.totp_codes import DIGITS, matching_steps, new_seed
from undercroft.auth.totp_seeds import load_seed, open_seed, save_seed, seed_key
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.statements import delete_rows
from undercroft.errors import BadRequest, Forbidden, TooMany
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity

TRIES: Final = Bound("totp", 5, 180.0, 20, 3600.0)
_BEGUN: Final = "When you sign in, your account asks for a code of your authenticator app from now on."
_ENDED: Final = "When you sign in, your account no longer asks for a code of an authenticator app."
_RENEWED: Final = "New recovery codes were made for your account; the earlier ones count no more."


class TotpOff(Forbidden):
    """Accounts of this collection have no codes of authenticator apps."""

    code = "totp_off"
    default = "The collection is not configured to allow codes of authenticator apps."


class TotpOn(BadRequest):
    """The account asks for codes already; who wants another app ends that first."""

    code = "totp_on"
    default = "The account asks for codes of an authenticator app already."


class AddressNotVerified(Forbidden):
    """The account's address is not verified: its owner, who may be somebody else, would be kept out for good."""

    code = "address_not_verified"
    default = "Verify your e-mail address first, and set up the app then."


class TotpRefused(BadRequest):
    """The code is wrong, was used, or is of another time; which of them is nobody's business."""

    code = "totp_refused"
    default = "The code is wrong, or was used already."


class TooManyTotpTries(TooMany):
    """Codes of the account were guessed at too often."""

    code = "too_many_totp_tries"
    default = "Too many attempts. Please try again later."


def check_totp_is_on(collection: Collection) -> None:
    """Raise `TotpOff` unless accounts of the collection may have codes."""
    if collection.auth is None or not collection.auth.totp.enabled:
        raise TotpOff


async def has_totp(engine: Engine, account: Identity) -> bool:
    """Whether an account is asked for codes."""
    auth = account.collection.auth
    seed = await load_seed(engine.read, engine.dialect, account) if auth is not None and auth.totp.enabled else None
    return seed is not None and seed.is_confirmed


async def begin_totp(engine: Engine, account: Identity) -> str:
    """A new secret, which counts once a code of it was shown. Raises `TotpOn` and `AddressNotVerified`."""
    fresh = new_seed()

    async def begin(tx: Transaction) -> None:
        await _check_address(tx, engine.dialect, account)
        seed = await load_seed(tx.run, engine.dialect, account)
        if seed is not None and seed.is_confirmed:
            raise TotpOn
        await save_seed(tx, engine.dialect, account, fresh)

    await engine.write(begin)
    return fresh


async def confirm_totp(backend: WithLetters, account: Identity, code: str) -> list[str]:
    """Ask for codes from now on; the recovery codes. Raises `TotpOn`, `TotpRefused` and `AddressNotVerified`."""
    engine, recovery = backend.engine, new_recovery_codes()

    async def confirm(tx: Transaction) -> None:
        await _check_address(tx, engine.dialect, account)
        seed = await load_seed(tx.run, engine.dialect, account)
        if seed is not None and seed.is_confirmed:
            raise TotpOn
        if not await _use_step(tx, engine.dialect, account, code):
            raise TotpRefused
        mark = engine.dialect.placeholder
        sql = f'UPDATE "_totp" SET "confirmed" = {mark(1)} WHERE "id" = {mark(2)}'
        await tx.run(sql, (time.time(), seed_key(account)))
        await save_recovery_codes(tx, engine.dialect, account, recovery)
        await tell_of_change(backend, tx, account, _BEGUN)

    await engine.write(confirm)
    return recovery


async def prove_by_code(tx: Transaction, dialect: Dialect, account: Identity, code: str) -> None:
    """Use up a code of the account's app, or a recovery code. Raises `TotpRefused`."""
    seed = await load_seed(tx.run, dialect, account)
    if seed is None or not seed.is_confirmed:
        raise TotpRefused
    use = _use_step if len(code) == DIGITS else use_recovery_code
    if not await use(tx, dialect, account, code):
        raise TotpRefused


async def renew_recovery_codes(backend: WithLetters, account: Identity, code: str) -> list[str]:
    """A new list of recovery codes, for who shows a code. Raises `TotpRefused`."""
    engine, recovery = backend.engine, new_recovery_codes()

    async def renew(tx: Transaction) -> None:
        await prove_by_code(tx, engine.dialect, account, code)
        await save_recovery_codes(tx, engine.dialect, account, recovery)
        await tell_of_change(backend, tx, account, _RENEWED)

    await engine.write(renew)
    return recovery


async def end_totp(backend: WithLetters, account: Identity, code: str) -> None:
    """Ask for codes no more, for who shows one. Raises `TotpRefused`."""
    engine = backend.engine

    async def end(tx: Transaction) -> None:
        await prove_by_code(tx, engine.dialect, account, code)
        await drop_totp(backend, tx, account)

    await engine.write(end)


async def drop_totp(backend: WithLetters, tx: Transaction, account: Identity) -> None:
    """Ask an account for codes no more, as somebody has decided who may."""
    owner = {"collection": account.collection.id, "record": account.id}
    dialect = backend.engine.dialect
    if await delete_rows(tx.run, dialect, "_totp", owner):
        await delete_rows(tx.run, dialect, "_recovery_codes", owner)
        await tell_of_change(backend, tx, account, _ENDED)


async def forget_totp(backend: WithLetters, email: str) -> None:
    """Ask a superuser for codes no more, as whoever runs the program has decided. Raises `UnknownSuperuser`."""
    collection, dialect = backend.catalog.superusers, backend.engine.dialect

    async def forget(tx: Transaction) -> None:
        account = await find_identity(tx.run, dialect, collection, {"email": email})
        if account is None:
            raise UnknownSuperuser(email)
        await drop_totp(backend, tx, account)

    await backend.engine.write(forget)


async def count_totp_try(backend: Accounts, account: Identity, client: str) -> None:
    """Count a try at a code of an account. Raises `TooManyTotpTries`."""
    if wait := await count_try(backend, TRIES, account.collection, account.id, client):
        raise TooManyTotpTries(retry_after=wait)


async def _check_address(tx: Transaction, dialect: Dialect, account: Identity) -> None:
    found = await find_identity(tx.run, dialect, account.collection, {"id": account.id})
    if found is not None and found.record["email"] and not found.record["verified"]:
        raise AddressNotVerified


async def _use_step(tx: Transaction, dialect: Dialect, account: Identity, code: str) -> bool:
    """Whether it is a code of now that was not used yet; it counts no more, nor do older ones."""
    seed = await load_seed(tx.run, dialect, account)
    if seed is None:
        return False
    mark = dialect.placeholder
    sql = f'UPDATE "_totp" SET "step" = {mark(1)} WHERE "id" = {mark(2)} AND "step" < {mark(3)} RETURNING 1'
    text = open_seed(tx.texts, account, seed)
    steps = [step for step in matching_steps(text, code, time.time()) if step > seed.last_step]
    return bool(steps) and bool(await tx.run(sql, (steps[0], seed_key(account), steps[0])))
