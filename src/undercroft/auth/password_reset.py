"""A new password for who has lost theirs, and reads the mail of the account."""

from __future__ import annotations

from typing import Final

from undercroft.auth.changing import new_password, prepare_change
from undercroft.auth.letters_asked_for import LetterWithToken
from undercroft.auth.proofs import TokenRefused, find_proven, still_proven
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import Invalid
from undercroft.query.scope import Identity
from undercroft.records.unit import Unit

LETTER: Final = LetterWithToken("password-reset", "passwordReset", lambda _: True)
_FAILED: Final = "Failed to set new password."


async def find_who_resets(backend: WithRecords, collection: Collection, token: str) -> Identity:
    """Whose token it is. Raises `TokenRefused`."""
    return await find_proven(backend, collection, token, "passwordReset")


async def reset_password(backend: WithRecords, account: Identity, token: str, password: str) -> None:
    """Give an account a new password; every token it had is worthless then, this one as well.

    Who has the letter reads the mail of its address, so that is verified too.
    Raises `TokenRefused`, and `Invalid` for a password that the collection does not take.
    """
    values = new_password(password) | {"verified": True}
    try:
        change = await prepare_change(backend, account, values)

        async def reset(tx: Transaction, unit: Unit | None) -> None:
            await still_proven(tx.run, backend, account, token, "passwordReset")
            await change.apply(tx, unit)

        await change.write(reset)
    except TokenRefused:
        raise
    except Invalid as problem:
        raise Invalid(problem.data, _FAILED) from problem
