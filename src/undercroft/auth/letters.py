"""The letters that an auth collection writes to its accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from undercroft.collections.collection import Collection
from undercroft.collections.fields.number import NumberField
from undercroft.collections.options import AuthOptions, Template
from undercroft.collections.templates import ACCOUNT_CHANGE, INVITATION, MAGIC_LINK
from undercroft.mail.compose import compose
from undercroft.mail.message import Letter, Mailbox, one_line
from undercroft.mail.outbox import Sealed, seal
from undercroft.query.scope import Identity
from undercroft.records.codec import number_value
from undercroft.settings.settings import Meta

LetterKind = Literal[
    "verification", "password-reset", "email-change", "otp", "login-alert", "account-change", "magic-link", "invitation"
]


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why an account is written to: the kind of letter, what is in it, and for how many seconds that holds."""

    kind: LetterKind
    values: Mapping[str, str]
    seconds: float


def write_to(account: Identity, address: str, occasion: Occasion, meta: Meta) -> Sealed:
    """A letter to an account at an address, written out. Raises `BadLetter`."""
    return seal(draft_letter(account, address, occasion, meta), occasion.kind, occasion.seconds)


def draft_letter(account: Identity, address: str, occasion: Occasion, meta: Meta) -> Letter:
    """A letter to an account at an address, from its collection's template. Raises `BadLetter`."""
    template = _template(account.collection, occasion.kind)
    common = {"APP_NAME": meta.app_name, "APP_URL": meta.app_url.rstrip("/")}
    values = record_values(account) | common | dict(occasion.values)
    words = compose(template.subject, template.body, values, meta.accent_color)
    sender = Mailbox(meta.sender_address, one_line(meta.sender_name))
    return Letter(sender, (Mailbox(address),), words.subject, words.html, words.text)


def record_values(account: Identity) -> dict[str, str]:
    """What templates may know of an account: every field that is not hidden, as `RECORD:name`."""
    shown = (field for field in account.collection.fields if not field.hidden)
    return {
        f"RECORD:{field.name}": _text(account.record[field.name], is_number=isinstance(field, NumberField))
        for field in shown
    }


def _template(collection: Collection, kind: LetterKind) -> Template:
    auth = collection.auth or AuthOptions()
    templates: Final[Mapping[LetterKind, Template]] = {
        "verification": auth.verification_template,
        "password-reset": auth.reset_password_template,
        "email-change": auth.confirm_email_change_template,
        "otp": auth.otp.email_template,
        "login-alert": auth.auth_alert.email_template,
        "account-change": ACCOUNT_CHANGE,
        "magic-link": _own(auth.magic_link.email_template) or MAGIC_LINK,
        "invitation": _own(auth.invitations.email_template) or INVITATION,
    }
    return templates[kind]


def _own(template: Template) -> Template | None:
    """The template, if somebody wrote one."""
    return template if template.body else None


def _text(value: Any, *, is_number: bool) -> str:
    """A value as people read it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return msgspec.json.encode(number_value(value) if is_number else value).decode()
