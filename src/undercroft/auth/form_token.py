"""Tokens in forms: proof that a page of ours was open, in this session, and when.

    TIME-CHANCE.SIGNATURE      seconds since 1970 in hex; HMAC-SHA256 in hex, over what stands
                               before it, the session's value and the purpose

Chance makes no two alike, so that pages can be compressed and nobody learns a token from
their sizes. A token of one session is worth nothing in another (OWASP's signed double submit
bound to the session), and its age tells how long somebody took to fill the form in.
"""

from __future__ import annotations

import hmac
import time
from functools import partial
from hashlib import sha256
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.texts import is_sealed_text
from undercroft.errors import Forbidden
from undercroft.ids import random_text
from undercroft.keys.text_columns import FORM_KEY, param_place

LIFETIME: Final = 12 * 3600  # seconds
_PLACE: Final = param_place(FORM_KEY)


class FormExpired(Forbidden):
    """The token of a form is missing, too old, or of another session."""

    code = "form_expired"
    default = "This form was open too long, or you have signed in or out since. Please send it again."


async def load_form_key(engine: Engine) -> bytes:
    """The key that signs tokens of forms, the same on every server of a database; made when first asked for.

    While there are no keys it is one of this process alone.
    """
    try:
        return (await _find_key(engine) or await engine.write(partial(_make_key, engine=engine), alone=True)).encode()
    except KeysUnavailable:
        return random_text(43).encode()


async def _find_key(engine: Engine) -> str:
    found = await load_param(engine.read, engine.dialect, FORM_KEY)
    return engine.texts.open_text(_PLACE, str(found)) if found is not None and is_sealed_text(str(found)) else ""


async def _make_key(tx: Transaction, engine: Engine) -> str:
    there = await load_param(tx.run, engine.dialect, FORM_KEY)
    if there is not None and is_sealed_text(str(there)):
        return tx.texts.open_text(_PLACE, str(there))
    key = str(there or random_text(43))  # an older program kept it in clear
    await save_param(tx, engine.dialect, FORM_KEY, tx.texts.seal_text(_PLACE, key))
    return key


def issue_form_token(key: bytes, session: str, purpose: str = "") -> str:
    """A token for a form, as part of a session (empty text for guests), and for that purpose alone."""
    moment = f"{int(time.time()):x}-{random_text(12)}"
    return f"{moment}.{_sign(key, moment, session, purpose)}"


def form_age(key: bytes, session: str, token: str, purpose: str = "") -> float:
    """How many seconds ago a form was handed out. Raises `FormExpired`."""
    moment, _, signature = token.partition(".")
    if not hmac.compare_digest(_bytes(signature), _sign(key, moment, session, purpose).encode()):
        raise FormExpired
    age = time.time() - int(moment.partition("-")[0], 16)
    if age > LIFETIME:
        raise FormExpired
    return age


def _sign(key: bytes, moment: str, session: str, purpose: str) -> str:
    return hmac.new(key, _bytes(f"{moment}.{session}.{purpose}"), sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
