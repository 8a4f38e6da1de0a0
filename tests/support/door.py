"""A collection whose accounts log in through a provider: who comes, with what, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp import Idp

from undercroft.testing import Answer, TestClient

USERS = "/api/collections/users"
PASSWORD = "correct-horse-9"
BACK = "http://app.example.com/back"


@dataclass
class Door:
    """A client of the backend, its superuser's token, and the provider."""

    client: TestClient
    root: str
    idp: Idp

    async def options(self, **options: Any) -> None:
        """Change the options of the accounts' collection."""
        answer = await self.client.patch(USERS, options, as_=self.root)
        assert answer.status == 200, answer.text

    async def know(self, *providers: dict[str, Any], **more: Any) -> None:
        """Have the collection know these providers."""
        await self.options(oauth2={"enabled": True, "providers": list(providers), **more})

    async def offer(self, name: str = "oidc") -> dict[str, str]:
        """A new way to a provider."""
        answer = await self.client.get(f"{USERS}/auth-methods")
        return next(each for each in answer.json["oauth2"]["providers"] if each["name"] == name)

    async def ticket(self, provider: str = "oidc", /, **person: Any) -> dict[str, Any]:
        """What somebody comes back with whom the provider knows as that person."""
        offer = await self.offer(provider)
        self.idp.person = {**self.idp.person, **person}
        code = self.idp.authorize(offer["authURL"] + BACK)
        return {"provider": provider, "code": code, "codeVerifier": offer["codeVerifier"], "redirectURL": BACK}

    async def come(self, provider: str = "oidc", /, as_: str = "", form: Any = None, **person: Any) -> Answer:
        """The answer to somebody who comes back from a provider, which knows them as that person."""
        return await self.submit(await self.ticket(provider, **person) | (form or {}), as_)

    async def submit(self, form: dict[str, Any], as_: str = "") -> Answer:
        """The answer to what somebody comes back with."""
        return await self.client.post(f"{USERS}/auth-with-oauth2", form, as_=as_)

    async def join(self, email: str = "ada@example.com", **values: Any) -> str:
        """The id of a new account with a password."""
        body = {"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD}
        answer = await self.client.post(f"{USERS}/records", body | values, as_=self.root)
        assert answer.status == 200, answer.text
        return answer.json["id"]

    async def log_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> Answer:
        """The answer to a log-in with a password."""
        return await self.client.post(f"{USERS}/auth-with-password", {"identity": email, "password": password})

    async def token(self, email: str = "ada@example.com") -> str:
        """The token of an account with a password."""
        return (await self.log_in(email)).json["token"]

    async def knows(self, token: str) -> bool:
        """Whether a token speaks for an account."""
        return (await self.client.post(f"{USERS}/auth-refresh", {}, as_=token)).status == 200

    async def record(self, record_id: str) -> Any:
        """An account as superusers see it."""
        return (await self.client.get(f"{USERS}/records/{record_id}", as_=self.root)).json

    async def accounts(self) -> list[Any]:
        """All accounts, oldest first."""
        return (await self.client.get(f"{USERS}/records", sort="created", as_=self.root)).json["items"]

    async def links(self, record_id: str) -> list[tuple[str, str]]:
        """Whom an account is linked to."""
        path, only = "/api/collections/_externalAuths/records", f'recordRef = "{record_id}"'
        answer = await self.client.get(path, filter=only, sort="created", as_=self.root)
        return [(link["provider"], link["providerId"]) for link in answer.json["items"]]
