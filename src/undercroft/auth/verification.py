"""Verification: an account proves that it reads the mail of its address."""

from __future__ import annotations

from typing import Final

from undercroft.auth.changing import nobodys_password, prepare_change
from undercroft.auth.letters_asked_for import LetterWithToken
from undercroft.auth.proofs import TokenRefused, find_proven, still_proven
from undercroft.auth.superusers import WithRecords
from undercroft.auth.tokens import read_any_claims
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import FieldError
from undercroft.records.unit import Unit

LETTER: Final = LetterWithToken("verification", "verification", lambda account: not account.record["verified"])
NO_ADDRESS: Final = FieldError("validation_invalid_token_claims", "Missing email token claim.")


async def confirm_verification(backend: WithRecords, collection: Collection, token: str) -> None:
    """Take an account for verified; one that is already stays so. Raises `TokenRefused`.

    Where nobody logs in with a password, the one that was chosen before is worth nothing any more.
    """
    claims = read_any_claims(token)
    if claims is None or not claims.email:
        raise TokenRefused(NO_ADDRESS)
    account = await find_proven(backend, collection, token, "verification")
    if account.record["verified"]:
        return
    has_passwords = collection.auth is not None and collection.auth.password_auth.enabled
    values = {"verified": True} | ({} if has_passwords else nobodys_password(collection, account.record))
    change = await prepare_change(backend, account, values)

    async def confirm(tx: Transaction, unit: Unit | None) -> None:
        await still_proven(tx.run, backend, account, token, "verification")
        await change.apply(tx, unit)

    await change.write(confirm)
