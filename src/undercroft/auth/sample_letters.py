"""Letters as they would be, about an account that is made up: nothing in them opens anything."""

from __future__ import annotations

from typing import Final, get_args

from undercroft.auth import tokens
from undercroft.auth.letters import LetterKind, Occasion, draft_letter
from undercroft.collections.collection import Collection
from undercroft.collections.fields.text import TextField
from undercroft.dates import now
from undercroft.mail.message import Letter, Mailbox
from undercroft.query.scope import Identity
from undercroft.records.accounts import new_token_key
from undercroft.settings.settings import Meta

KINDS: Final[tuple[LetterKind, ...]] = get_args(LetterKind)
SECONDS: Final = 60
_TOKENS: Final[dict[LetterKind, tokens.Kind]] = {
    "verification": "verification",
    "password-reset": "passwordReset",
    "email-change": "emailChange",
}


def sample_letter(collection: Collection, kind: LetterKind, to: Mailbox, meta: Meta) -> Letter:
    """A letter of a kind to an account of a collection, which has the address and, if it has any, the name of `to`.

    All else of it is empty. Raises `BadLetter`.
    """
    address, record = to.address, {field.name: field.zero for field in collection.fields}
    record |= {"id": "__test_record__", "email": address, "tokenKey": new_token_key()}
    if isinstance(collection.by_name.get("name"), TextField):
        record["name"] = to.name
    values = {
        "OTP": "123456",
        "OTP_ID": "__test_otp__",
        "ALERT_INFO": f"{now()} - 192.0.2.1 Test browser",
        "CHANGE": "This sentence says what was changed.",
        "TOKEN": "__test_token__",
    }
    if kind in _TOKENS:
        claims: dict[str, bool | str] = {"email": address}
        claims |= {"new_email": address} if kind == "email-change" else {}
        values["TOKEN"] = tokens.issue(_TOKENS[kind], collection, record, SECONDS, **claims)
    return draft_letter(Identity(collection, record), address, Occasion(kind, values, SECONDS), meta)
