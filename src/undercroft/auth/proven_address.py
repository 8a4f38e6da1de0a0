"""What it means for an account that somebody has shown that its address is theirs, by mail or by a provider's word.

Who came before may have been somebody else: a password that was set before is worth nothing any
more, unless it is the second factor, and so are all keys and tokens. Whom somebody has blocked stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from undercroft.auth.changing import Change, nobodys_password, prepare_change
from undercroft.auth.superusers import WithRecords
from undercroft.database.engine import Transaction
from undercroft.database.statements import forget_ways_in
from undercroft.query.scope import Identity
from undercroft.records.accounts import new_token_key
from undercroft.records.saving import Operation
from undercroft.records.unit import Unit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AddressProof:
    """A proof with its slow parts done, to be applied inside a transaction; without a `change` it changes nothing.

    It `shuts_out` who came before: then no key of the account stays. `half` is the half of a log-in that it completes.
    """

    backend: WithRecords
    account: Identity
    change: Change | None
    shuts_out: bool = True
    half: str = ""

    async def write(self, operation: Operation[T]) -> T:
        """Run an operation in which the proof is applied."""
        if self.change is not None:
            return await self.change.write(operation)
        return await self.backend.engine.write(lambda tx: operation(tx, None))

    async def apply(self, tx: Transaction, unit: Unit | None) -> Identity:
        """The account as it is then. Raises `NotFound`, `Invalid`, and `ChangedMeanwhile`."""
        account = self.account
        if self.change is None:
            return account
        if self.shuts_out:
            await forget_ways_in(tx.run, self.backend.engine.dialect, account.collection.id, account.id)
        return Identity(account.collection, (await self.change.apply(tx, unit, self.half)).values)


async def prove_address(backend: WithRecords, account: Identity, address: str, half: str = "") -> AddressProof:
    """Get ready to take an account for verified, if it is not, and the address that was written to is still its own.

    Whoever shows a `half` of a log-in along with the letter is one person: it stays.
    """
    auth, record = account.collection.auth, account.record
    if auth is None or record["verified"] or not address or address != record["email"]:
        return AddressProof(backend, account, None)
    # Either ends all tokens, as another password brings another token key along.
    keys = {"tokenKey": new_token_key()} if auth.mfa.enabled else nobodys_password(account.collection, record)
    values = {"verified": True} | keys
    return AddressProof(backend, account, await prepare_change(backend, account, values), half=half)


async def prove_owner(
    backend: WithRecords, account: Identity, values: Mapping[str, Any], *, shuts_out: bool
) -> AddressProof:
    """Get ready to change what a provider's word changes; if it `shuts_out` who came before, their password too."""
    wanted = {**values, **(nobodys_password(account.collection, {**account.record, **values}) if shuts_out else {})}
    change = await prepare_change(backend, account, wanted) if wanted else None
    return AddressProof(backend, account, change, shuts_out)
