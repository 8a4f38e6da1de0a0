"""A second factor: who has proven who they are in one way does so in another, within some minutes."""

from __future__ import annotations

from typing import Final

from undercroft.auth.kept import drop, is_younger, keep, prepare_kept
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.collections.options import AuthOptions
from undercroft.database.engine import Transaction
from undercroft.errors import BadRequest
from undercroft.ids import record_id
from undercroft.query.scope import Identity, Method
from undercroft.records.record import find_identity, find_record

KEPT: Final = "_mfas"
STRONG: Final = frozenset({"passkey", "totp"})
"""What whoever reads an account's mail does not have."""


class MfaRefused(BadRequest):
    """The first half of the log-in was not made, was used, or has expired."""

    code = "mfa_refused"
    default = "Invalid or expired MFA session."


class WeakFactor(BadRequest):
    """Who has an authenticator app is not let in by a password and a letter alone."""

    code = "weak_factor"
    default = "The account asks for a code of its authenticator app, or for a passkey."


class SameMethod(BadRequest):
    """The second factor must be another one than the first."""

    code = "same_method"
    default = "A different authentication method is required."


_BY_MAIL: Final = frozenset({"otp", "magicLink", "invitation"})


async def begin_mfa(backend: WithRecords, account: Identity, method: Method) -> str:
    """Remember that an account has proven itself in one way; the id of that.

    Raises `MfaRefused` when the account has another token key by now, so that what it was proven by may count no more.
    """
    mfa_id, dialect = record_id(), backend.engine.dialect
    prepared = await prepare_kept(backend, KEPT, account, {"id": mfa_id, "method": method})

    async def begin(tx: Transaction) -> None:
        found = await find_identity(tx.run, dialect, account.collection, {"id": account.id})
        if found is None or found.record["tokenKey"] != account.record["tokenKey"]:
            raise MfaRefused
        await keep(backend, tx, KEPT, prepared)

    await backend.engine.write(begin)
    return mfa_id


async def find_first_half(backend: WithRecords, collection: Collection, mfa_id: str) -> Identity:
    """Whose first half of a log-in it is, which still counts. Raises `MfaRefused`."""
    engine, home = backend.engine, backend.catalog.collection(KEPT)
    kept = await find_record(engine.read, engine.dialect, home, {"id": mfa_id})
    seconds = (collection.auth or AuthOptions()).mfa.duration
    if kept is None or kept["collectionRef"] != collection.id or not is_younger(kept, seconds):
        raise MfaRefused
    account = await find_identity(engine.read, engine.dialect, collection, {"id": kept["recordRef"]})
    if account is None:
        raise MfaRefused
    return account


async def finish_mfa(
    backend: WithRecords, account: Identity, method: Method, mfa_id: str, *, asks_for_strong: bool = False
) -> None:
    """Use up the first half of a log-in by the second, one of which must be strong where that is asked for.

    Raises `MfaRefused`, `SameMethod` and `WeakFactor`.
    """
    dialect, home = backend.engine.dialect, backend.catalog.collection(KEPT)
    seconds = (account.collection.auth or AuthOptions()).mfa.duration

    async def finish(tx: Transaction) -> None:
        kept = await find_record(tx.run, dialect, home, {"id": mfa_id})
        is_its_own = kept is not None and (kept["collectionRef"], kept["recordRef"]) == (
            account.collection.id,
            account.id,
        )
        if kept is None or not is_its_own or not is_younger(kept, seconds):
            raise MfaRefused
        if not is_other(kept["method"], method):
            raise SameMethod
        if asks_for_strong and STRONG.isdisjoint((kept["method"], method)):
            raise WeakFactor
        await drop(backend, tx, KEPT, kept)

    await backend.engine.write(finish)


def is_other(one: str, other: str) -> bool:
    """Whether two methods prove two things: all that come by mail prove the same."""
    return one != other and not {one, other} <= _BY_MAIL
