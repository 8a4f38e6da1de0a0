"""Somebody as a provider knows them, read from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercroft.auth.oauth2.exchange import Grant
from undercroft.auth.oauth2.provider import Provider
from undercroft.auth.oauth2.vendor import find, holds, read_first, read_text
from undercroft.errors import BadRequest


class PersonRefused(BadRequest):
    """The provider did not say who it is, or not in a way that can be believed."""

    code = "oauth2_user_refused"
    default = "Failed to fetch OAuth2 user."


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a provider.

    There is an `email` only if the provider does not say that it is unverified. With `is_proven`
    it is known to be theirs, and only then it says anything about accounts here.
    """

    id: str
    name: str
    username: str
    email: str
    is_proven: bool
    avatar_url: str
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def proven_email(self) -> str:
        """The address if it is known to be theirs."""
        return self.email if self.is_proven else ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a provider said of somebody: itself, in the ID token, and of their addresses."""

    user: Mapping[str, Any]
    claims: Mapping[str, Any]
    emails: Any = None


def read_person(provider: Provider, grant: Grant, answers: Answers) -> Person | None:
    """Who it is; None for somebody who is not let in."""
    vendor, user = provider.vendor, dict(answers.user)
    person_id = read_text(user, vendor.id)
    if not person_id or "\0" in person_id or not holds(user, vendor.active):
        return None
    username = read_first(user, vendor.username)
    email = _read_email(provider, grant, answers)
    return Person(
        id=person_id,
        name=read_first(user, vendor.name),
        username=username.partition("@")[0] if vendor.username_is_address else username,
        email=email,
        is_proven=bool(email) and vendor.trusts_email,
        avatar_url=read_text(user, vendor.avatar) if holds(user, vendor.avatar_needs) else "",
        raw=user,
    )


def needs_emails(provider: Provider, user: Mapping[str, Any]) -> bool:
    """Whether the provider must be asked for addresses by a second request."""
    vendor = provider.vendor
    return vendor.emails is not None and not read_text(user, vendor.email)


def _read_email(provider: Provider, grant: Grant, answers: Answers) -> str:
    vendor = provider.vendor
    if vendor.email_claims:
        fitting = (claim for claim in vendor.email_claims if holds(answers.claims, claim.needs))
        return read_first(answers.claims, (claim.path for claim in fitting))
    if vendor.email_with_token:
        return read_text(grant.answer, "email")
    if needs_emails(provider, answers.user) and vendor.emails is not None:
        listed = find(answers.emails, vendor.emails.items) if vendor.emails.items else answers.emails
        items = listed if isinstance(listed, list) else []
        return next((read_text(each, vendor.emails.email) for each in items if holds(each, vendor.emails.needs)), "")
    return read_text(answers.user, vendor.email) if holds(answers.user, vendor.verified) else ""
