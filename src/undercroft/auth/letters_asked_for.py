"""Letters that anybody may ask for, by naming an address: for verification, and for a new password.

Whoever asks learns nothing, neither from the answer nor from its time: it is given before
the address is looked for, and what is done afterwards is the same for an address that
nobody has, up to sending the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from secrets import randbelow
from typing import Final, Protocol

from undercroft.auth import tokens
from undercroft.auth.letter_events import write_unless_refused
from undercroft.auth.letters import LetterKind, Occasion, write_to
from undercroft.auth.password import Credentials, find_account
from undercroft.auth.rations import ration_key, take_ration
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.ids import record_id
from undercroft.mail.outbox import enqueue
from undercroft.query.scope import Identity
from undercroft.records.accounts import new_token_key
from undercroft.settings.settings import Settings

PAUSE: Final = 120.0  # seconds between two letters of a kind to one account
NOBODIES: Final = 64


class WithLetters(WithRecords, Protocol):
    """Accounts that are written to."""

    @property
    def settings(self) -> Settings: ...


@dataclass(frozen=True, slots=True)
class LetterWithToken:
    """A kind of letter with a token in it, and to whom it is sent at all."""

    kind: LetterKind
    token: tokens.Kind
    is_for: Callable[[Identity], bool]


async def send_to_whom_it_concerns(
    backend: WithLetters, collection: Collection, email: str, letter: LetterWithToken
) -> None:
    """Send the letter to the account of that address, if there is one, and it has not just had one."""
    found = await find_by_email(backend, collection, email)
    account = found or invent(collection, email)
    address: str = account.record["email"]
    token = tokens.issue(letter.token, collection, account.record, email=address)
    seconds = tokens.token_options(collection, letter.token).duration
    occasion = Occasion(letter.kind, {"TOKEN": token}, seconds)
    is_welcome = found is not None and letter.is_for(account)
    if is_welcome:
        sealed = await write_unless_refused(backend, account, address, occasion)
    else:
        sealed = write_to(account, address, occasion, backend.settings.meta)
    whom = account.id if is_welcome else f"nobody {randbelow(NOBODIES)}"
    key, dialect = ration_key(letter.kind, collection.id, whom), backend.engine.dialect

    async def put(tx: Transaction) -> None:
        is_first = (await take_ration(tx, dialect, key, PAUSE)).count == 1
        if is_welcome and is_first:
            await enqueue(tx, dialect, sealed)

    await backend.engine.write(put)


async def find_by_email(backend: WithRecords, collection: Collection, email: str) -> Identity | None:
    """The account of an address, as logging in finds it."""
    record = await find_account(backend, collection, Credentials(email, "", "email"))
    return Identity(collection, record) if record is not None else None


def invent(collection: Collection, email: str) -> Identity:
    """An account that is not there, to do for it what would be done if it were."""
    made = {field.name: field.zero for field in collection.fields}
    return Identity(collection, made | {"id": record_id(), "email": email, "tokenKey": new_token_key()})
