"""Another address for an account: asked for with its token, confirmed by a letter and the password."""

from __future__ import annotations

from typing import Final

from undercroft.auth import tokens
from undercroft.auth.changing import prepare_change
from undercroft.auth.letter_events import write_letter
from undercroft.auth.letters import Occasion
from undercroft.auth.letters_asked_for import WithLetters, find_by_email
from undercroft.auth.proofs import TokenRefused, find_proven, still_proven
from undercroft.auth.rations import ration_key, take_ration
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.errors import FieldError, Invalid, TooMany
from undercroft.mail.outbox import enqueue
from undercroft.query.scope import Identity
from undercroft.records.unit import Unit

MOST_ASKED: Final = 20
ASKED_SECONDS: Final = 3600.0
NO_ADDRESS: Final = FieldError("validation_invalid_token_payload", "Invalid token payload - newEmail must be set.")
NOW_TAKEN: Final = FieldError("validation_invalid_token_email", "The new email address is invalid.")
SAME: Final = FieldError("validation_not_in_invalid", "Must not be in list.")
TAKEN: Final = FieldError("validation_invalid_new_email", "Invalid new email address.")
WRONG_PASSWORD: Final = FieldError("validation_invalid_password", "Missing or invalid auth record password.")


class TooManyChanges(TooMany):
    """The account asked for another address too often."""

    code = "too_many_email_changes"
    default = "You asked for this too often. Try again later."


async def request_email_change(backend: WithLetters, account: Identity, new_email: str) -> None:
    """Write to the new address.

    Raises `Invalid` when it is the present one or taken, `TooManyChanges`, and what hooks raise.
    """
    if new_email == account.record["email"]:
        raise Invalid({"newEmail": SAME})
    collection, dialect = account.collection, backend.engine.dialect
    key = ration_key("email-change", collection.id, account.id)
    if await find_by_email(backend, collection, new_email) is not None:
        # It is counted, so that an account learns of few addresses whether somebody has them.
        await backend.engine.write(lambda tx: _count(tx, dialect, key))
        raise Invalid({"newEmail": TAKEN})
    claims = {"email": account.record["email"], "new_email": new_email}
    token = tokens.issue("emailChange", collection, account.record, 0, **claims)
    seconds = tokens.token_options(collection, "emailChange").duration
    letter = await write_letter(backend, account, new_email, Occasion("email-change", {"TOKEN": token}, seconds))

    async def put(tx: Transaction) -> None:
        await _count(tx, dialect, key)
        await enqueue(tx, dialect, letter)

    await backend.engine.write(put)


async def _count(tx: Transaction, dialect: Dialect, key: str) -> None:
    taken = await take_ration(tx, dialect, key, ASKED_SECONDS)
    if taken.count > MOST_ASKED:
        raise TooManyChanges(retry_after=taken.wait)


async def confirm_email_change(backend: WithRecords, collection: Collection, token: str, password: str) -> None:
    """Move an account to its new address, which is verified then; every token it had is worthless.

    Raises `Invalid` for a token or a password that is not good, and `TooManyGuesses`.
    """
    account, new_email = await _find_who_moves(backend, collection, token)
    await _check_password(backend, account, password)
    change = await prepare_change(backend, account, {"email": new_email, "verified": True})

    async def move(tx: Transaction, unit: Unit | None) -> None:
        await still_proven(tx.run, backend, account, token, "emailChange")
        await change.apply(tx, unit)

    await change.write(move)


async def _find_who_moves(backend: WithRecords, collection: Collection, token: str) -> tuple[Identity, str]:
    """Whose token it is, and their new address; a password is never right for one that is not good."""
    try:
        return await _read_move(backend, collection, token)
    except TokenRefused as problem:
        raise Invalid({"token": problem.error, "password": WRONG_PASSWORD}) from problem


async def _read_move(backend: WithRecords, collection: Collection, token: str) -> tuple[Identity, str]:
    claims = tokens.read_any_claims(token)
    if claims is None or not claims.new_email:
        raise TokenRefused(NO_ADDRESS)
    account = await find_proven(backend, collection, token, "emailChange")
    if await find_by_email(backend, collection, claims.new_email) is not None:
        raise TokenRefused(NOW_TAKEN)
    return account, claims.new_email


async def _check_password(backend: WithRecords, account: Identity, password: str) -> None:
    if not (await backend.counted_passwords.verify(password, account.record["password"])).ok:
        raise Invalid({"password": WRONG_PASSWORD})
