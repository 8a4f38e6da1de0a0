"""Magic links: a way in by letter that counts once, and that a look at it does not use up.

The link leads to a page, and a button there brings its text back: programs that look at links
before their readers do open pages, and press no buttons. Who asks for one learns nothing of
who has an account, as with every letter that anybody may ask for.
"""

from __future__ import annotations

from hashlib import sha256
from secrets import randbelow
from typing import Final

from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import NOBODIES, WithLetters, find_by_email, invent
from undercroft.auth.proven_address import prove_address
from undercroft.auth.rations import ration_key, take_ration
from undercroft.auth.tickets import Ticket, find_ticket, issue_ticket, use_ticket
from undercroft.collections.collection import Collection
from undercroft.collections.options import MagicLink
from undercroft.database.engine import Transaction
from undercroft.errors import BadRequest, Forbidden
from undercroft.ids import random_text
from undercroft.mail.outbox import enqueue
from undercroft.query.scope import Identity
from undercroft.records.record import find_identity
from undercroft.records.unit import Unit

MOST: Final = 5
SECONDS: Final = 900.0
_LENGTH: Final = 43  # characters of 62 kinds: 256 bits


class MagicLinkOff(Forbidden):
    """Accounts of this collection do not log in with links."""

    code = "magic_link_off"
    default = "The collection is not configured to allow log-ins by link."


class MagicLinkRefused(BadRequest):
    """The link was used, has expired, or never was one."""

    code = "magic_link_refused"
    default = "This link was used already, or has expired. Ask for another one."


def magic_link_options(collection: Collection) -> MagicLink:
    """How the collection's links are. Raises `MagicLinkOff`."""
    if collection.auth is None or not collection.auth.magic_link.enabled:
        raise MagicLinkOff
    return collection.auth.magic_link


async def send_magic_link(backend: WithLetters, collection: Collection, email: str) -> None:
    """Send a link to the account of that address, if there is one, five in a quarter of an hour at most."""
    found = await find_by_email(backend, collection, email)
    account = found or invent(collection, email)
    address, text, dialect = str(account.record["email"]), random_text(_LENGTH), backend.engine.dialect
    seconds = magic_link_options(collection).duration
    letter = write_to(account, address, Occasion("magic-link", {"TOKEN": text}, seconds), backend.settings.meta)
    whom = account.id if found else f"nobody {randbelow(NOBODIES)}"
    ticket = Ticket("magic link", collection.id, account.id, (address, _fingerprint(account)))

    async def put(tx: Transaction) -> None:
        if (await take_ration(tx, dialect, ration_key("magic-link", collection.id, whom), SECONDS)).count > MOST:
            return
        await issue_ticket(tx, dialect, ticket, text, seconds)
        if found is not None:
            await enqueue(tx, dialect, letter)

    await backend.engine.write(put)


async def use_magic_link(backend: WithLetters, collection: Collection, text: str, half: str = "") -> Identity:
    """Whose link it is, which counts no more; it may complete a `half` of a log-in. Raises `MagicLinkRefused`."""
    engine = backend.engine
    ticket = await find_ticket(engine, "magic link", text)
    if ticket is None or ticket.collection != collection.id:
        raise MagicLinkRefused
    account = await find_identity(engine.read, engine.dialect, collection, {"id": ticket.record})
    address, fingerprint = ticket.data
    if account is None or (account.record["email"], _fingerprint(account)) != (address, fingerprint):
        raise MagicLinkRefused
    proof = await prove_address(backend, account, address, half)

    async def use(tx: Transaction, unit: Unit | None) -> Identity:
        if await use_ticket(tx, engine.dialect, "magic link", text) is None:
            raise MagicLinkRefused  # somebody else came with it at the same moment
        return await proof.apply(tx, unit)

    return await proof.write(use)


def _fingerprint(account: Identity) -> str:
    """What changes with the account's tokens: a link that was sent before a new password is none."""
    return sha256(f"magic link {account.record['tokenKey']}".encode()).hexdigest()
