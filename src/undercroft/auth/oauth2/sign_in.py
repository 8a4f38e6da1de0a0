"""From somebody whom a provider knows to the account that they are, with the hooks that are asked in between."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from undercroft.auth.accounts import account_of
from undercroft.auth.email_change import TooManyChanges, request_email_change
from undercroft.auth.events import RecordAuthWithOAuth2
from undercroft.auth.letters_asked_for import WithLetters
from undercroft.auth.oauth2.accounts import Comer, Found, find_account, welcome
from undercroft.auth.oauth2.avatar import fetch_avatar
from undercroft.auth.oauth2.exchange import Grant, Line
from undercroft.auth.oauth2.links import LinkRefused, OvertakenError
from undercroft.auth.oauth2.newcomer import Wanted, avatar_field, create_account
from undercroft.auth.oauth2.person import Person
from undercroft.collections.fields.email import is_email
from undercroft.errors import Invalid
from undercroft.files.staging import Staging
from undercroft.hooks.hook import Hook
from undercroft.http.upload import Upload
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.event_record import shown_values
from undercroft.records.host import Work
from undercroft.records.saving import Outside

MOMENT: Final = "record_auth_with_oauth2_request"
_TRIES: Final = 3


class WithFiles(WithLetters, Protocol):
    """Accounts that can have pictures."""

    @property
    def staging(self) -> Staging: ...


class SignIn:
    """One somebody on their way to an account. `access` is the caller's, in the context of OAuth2."""

    def __init__(self, backend: WithFiles, work: Work, access: Access, line: Line, comer: Comer) -> None:
        self.is_new = False
        self._backend = backend
        self._work = work
        self._access = access
        self._line = line
        self._comer = comer

    async def run(self, grant: Grant, submitted: Mapping[str, Any]) -> Identity:
        """The account that they are, which may be new, and is linked to them.

        Raises `LinkRefused`, what a create is refused with, and what hooks raise.
        """
        found = await find_account(self._backend, self._comer)
        collection = self._comer.collection
        hooks = self._work.host.hooks.registry.find(MOMENT, collection.name, collection.id)
        if hooks:
            return await self._with_hooks(hooks, found, grant, submitted)
        return await self._enter(found, submitted)

    async def _with_hooks(
        self, hooks: tuple[Hook, ...], found: Found, grant: Grant, submitted: Mapping[str, Any]
    ) -> Identity:
        collection = self._comer.collection
        event = RecordAuthWithOAuth2(Outside(self._work, self._access), collection, self._comer.provider)
        event.user, event.create_data = describe(self._comer.person, grant), dict(submitted)
        event.record = shown_values(collection, found.account.record) if found.account else None
        event.is_new = found.account is None
        entered: list[Identity] = []

        async def deed() -> None:
            account = await self._enter(await self._chosen(event, found), event.create_data)
            event.record, event.is_new = shown_values(collection, account.record), self.is_new
            entered.append(account)

        await self._work.host.hooks.run(hooks, event, deed, self._work.about)
        return entered[-1]

    async def _chosen(self, event: RecordAuthWithOAuth2, found: Found) -> Found:
        """The account that hooks have left, or put in place of the one that was found."""
        if event.record is None:
            return Found(None, found.link, is_theirs=False)
        chosen = str(event.record["id"])
        if found.account is not None and found.account.id == chosen:
            return found
        account = await account_of(self._backend, self._comer.collection, chosen)
        return Found(account, found.link, is_theirs=False)

    async def _enter(self, found: Found, submitted: Mapping[str, Any]) -> Identity:
        for _ in range(_TRIES):
            try:
                if found.account is not None:
                    return await welcome(self._backend, self._comer, found.account, found)
                return await self._create(submitted)
            except OvertakenError:
                found = await find_account(self._backend, self._comer)
                if not found.is_theirs:
                    break  # what hooks have chosen must not be exchanged for what was found
        raise LinkRefused({}, "Failed to authenticate.")

    async def _create(self, submitted: Mapping[str, Any]) -> Identity:
        avatar = await self._fetch_avatar(submitted)
        try:
            wanted = Wanted(submitted, avatar)
            account = await create_account(self._backend, self._work, self._access, self._comer, wanted)
        finally:
            if avatar is not None:
                await self._backend.staging.discard([avatar])
        self.is_new = True
        await self._ask_for_address(account, submitted.get("email"))
        return account

    async def _ask_for_address(self, account: Identity, email: object) -> None:
        """Write to an address that was submitted beside that of the provider: it counts once the letter is opened."""
        if isinstance(email, str) and is_email(email) and email.lower() != str(account.record["email"]).lower():
            with suppress(Invalid, TooManyChanges):  # an address that is somebody's already is nobody's news
                await request_email_change(self._backend, account, email)

    async def _fetch_avatar(self, submitted: Mapping[str, Any]) -> Upload | None:
        url, field = self._comer.person.avatar_url, avatar_field(self._comer.collection, submitted)
        if field is None or not url:
            return None
        return await fetch_avatar(self._line, self._backend.staging, field, url)


def describe(person: Person, grant: Grant) -> dict[str, Any]:
    """Somebody as a provider knows them, as clients and hooks see it."""
    return {
        "id": person.id,
        "name": person.name,
        "username": person.username,
        "email": person.email,
        "avatarURL": person.avatar_url,
        "avatarUrl": person.avatar_url,
        "accessToken": grant.access_token,
        "refreshToken": grant.refresh_token,
        "expiry": grant.expiry,
        "rawUser": dict(person.raw),
    }
