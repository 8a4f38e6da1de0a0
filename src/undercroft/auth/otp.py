"""One-time passwords: a code that is sent by letter, and counts once.

An address that nobody has gets a code as well, which is kept for an account that is not
there and sent to nobody: what is answered, how often and how fast, is the same for it.

A code lives for minutes and can be tried a few times, so its hash is a quick one: a slow
one would let strangers, who may ask for codes, keep the processors from those who log in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from undercroft.auth.guesses import Bound, count_try
from undercroft.auth.kept import drop, is_younger, keep, load_kept, load_kept_of, prepare_kept
from undercroft.auth.letter_events import write_unless_refused
from undercroft.auth.letters import Occasion, write_to
from undercroft.auth.letters_asked_for import WithLetters, find_by_email, invent
from undercroft.auth.password import find_account_id, ignores_case
from undercroft.auth.proven_address import prove_address
from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.options import Otp
from undercroft.database.engine import Transaction
from undercroft.errors import BadRequest, Forbidden, TooMany
from undercroft.ids import RECORD_ID_ALPHABET, random_text
from undercroft.mail.outbox import enqueue
from undercroft.passwords import Verdict
from undercroft.query.scope import Identity
from undercroft.records.cipher import looked_up
from undercroft.records.draft import Draft
from undercroft.records.record import find_identity, find_record
from undercroft.records.unit import Unit

KEPT: Final = "_otps"
MOST_OPEN: Final = 10
TRIES: Final = Bound("otp", 5, 180.0, 30, 180.0)
_DIGITS: Final = "0123456789"


class OtpOff(Forbidden):
    """Accounts of this collection do not log in with codes."""

    code = "otp_off"
    default = "The collection is not configured to allow OTP authentication."


class OtpRefused(BadRequest):
    """The code is wrong, was used, or has expired; which of them is nobody's business."""

    code = "otp_refused"
    default = "Invalid or expired OTP."


class TooManyTries(TooMany):
    """Codes of the account were guessed at too often."""

    code = "too_many_otp_tries"
    default = "Too many attempts, please try again later with a new OTP."


@dataclass(frozen=True, slots=True)
class Seal:
    """Hashes the code of one id; who reads the table needs the collection's secret to try codes."""

    secret: str
    otp_id: str

    async def hash(self, text: str) -> str:
        """The hash of a code."""
        told = f"{self.otp_id} {text}".encode("utf-8", "surrogatepass")
        return hmac.new(f"otp {self.secret}".encode(), told, "sha256").hexdigest()

    async def judge(self, draft: Draft, field: PasswordField) -> None:
        """No code is refused: it is as easy to guess as its length says, and was made by chance."""

    async def verify(self, text: str, stored: str) -> Verdict:
        """Whether the text is the code behind a hash."""
        return Verdict(hmac.compare_digest(await self.hash(text), stored))


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that was asked for: at which address, under which id, and whether it must still be made."""

    collection: Collection
    email: str
    id: str
    is_new: bool


def otp_options(collection: Collection) -> Otp:
    """How the collection's codes are. Raises `OtpOff`."""
    if collection.auth is None or not collection.auth.otp.enabled:
        raise OtpOff
    return collection.auth.otp


async def ask_for_code(backend: WithLetters, collection: Collection, email: str, new_id: str) -> Asked:
    """What becomes of a request for a code: a new one, or with ten that still count the newest of them."""
    nobody = _id_of_nobody(collection, email)  # made in any case, for making it takes time
    whose = await find_account_id(backend, collection, email) or nobody
    seconds = otp_options(collection).duration
    kept = await load_kept_of(backend.engine.read, backend, KEPT, (collection.id, whose))
    counting = [record for record in kept if is_younger(record, seconds)]
    is_new = len(counting) < MOST_OPEN
    return Asked(collection, email, new_id if is_new else counting[0]["id"], is_new)


async def send_code(backend: WithLetters, asked: Asked) -> None:
    """Make the code, keep its hash, and send it, unless there are ten by now."""
    collection, options = asked.collection, otp_options(asked.collection)
    found = await find_by_email(backend, collection, asked.email)
    account = found or _nobody(collection, asked.email)
    code, address = random_text(options.length, _DIGITS), str(account.record["email"])
    values = {"id": asked.id, "password": code, "sentTo": address}
    prepared = await prepare_kept(backend, KEPT, account, values, Seal(_secret(collection), asked.id))
    occasion = Occasion("otp", {"OTP": code, "OTP_ID": asked.id}, options.duration)
    if found:
        letter = await write_unless_refused(backend, account, address, occasion)
    else:
        letter = write_to(account, address, occasion, backend.settings.meta)

    async def put(tx: Transaction) -> None:
        kept = await load_kept(tx.run, backend, KEPT, account)
        if sum(is_younger(record, options.duration) for record in kept) >= MOST_OPEN:
            return
        await keep(backend, tx, KEPT, prepared)
        if found:
            await enqueue(tx, backend.engine.dialect, letter)

    await backend.engine.write(put)


@dataclass(frozen=True, slots=True)
class Shown:
    """A code that somebody shows, the id it was asked for under, and the half of a log-in that it may complete."""

    id: str
    code: str
    half: str = ""


async def use_code(backend: WithLetters, collection: Collection, shown: Shown, client: str) -> Identity:
    """Whose code it is, which counts no more. Raises `OtpRefused` and `TooManyTries`.

    Who gets a code by letter reads the mail of the address: the account is verified.
    """
    otp_id = shown.id
    options = otp_options(collection)
    kept = await find_record(
        backend.engine.read, backend.engine.dialect, backend.catalog.collection(KEPT), {"id": otp_id}
    )
    counts = kept is not None and kept["collectionRef"] == collection.id and is_younger(kept, options.duration)
    whose = str(kept["recordRef"]) if kept is not None and counts else otp_id
    if wait := await count_try(backend, TRIES, collection, whose, client):
        raise TooManyTries(retry_after=wait)
    stored = str(kept["password"]) if kept is not None and counts else ""
    verdict = await Seal(_secret(collection), otp_id).verify(shown.code, stored)
    if kept is None or not counts or not verdict.ok:
        raise OtpRefused
    return await _let_in(backend, collection, kept, shown.half)


async def _let_in(backend: WithLetters, collection: Collection, kept: Mapping[str, Any], half: str) -> Identity:
    engine, home = backend.engine, backend.catalog.collection(KEPT)
    account = await find_identity(engine.read, engine.dialect, collection, {"id": kept["recordRef"]})
    if account is None:
        raise OtpRefused
    proof = await prove_address(backend, account, kept["sentTo"], half)

    async def use(tx: Transaction, unit: Unit | None) -> Identity:
        if await find_record(tx.run, engine.dialect, home, {"id": kept["id"]}) is None:
            raise OtpRefused  # somebody else came with it at the same moment
        await drop(backend, tx, KEPT, kept)
        return await proof.apply(tx, unit)

    return await proof.write(use)


def _nobody(collection: Collection, email: str) -> Identity:
    """An account that is not there."""
    return Identity(collection, {**invent(collection, email).record, "id": _id_of_nobody(collection, email)})


def _id_of_nobody(collection: Collection, email: str) -> str:
    """The same for every spelling that would be of one account, if there were one."""
    digest = hmac.new(f"nobody {_secret(collection)}".encode(), _as_looked_up(collection, email), "sha256").digest()
    return "".join(RECORD_ID_ALPHABET[byte % len(RECORD_ID_ALPHABET)] for byte in digest[:15])


def _as_looked_up(collection: Collection, email: str) -> bytes:
    if "email" in collection.sealed_names:
        return repr(looked_up(collection, {"email": email})).encode()
    # Databases ignore the case of ASCII letters alone, and so do bytes.
    return email.encode().lower() if ignores_case(collection, "email") else email.encode()


def _secret(collection: Collection) -> str:
    return collection.auth.auth_token.secret if collection.auth else ""
