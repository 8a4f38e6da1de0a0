"""A root key that a transit service encrypts and decrypts, as OpenBao and Vault have one.

The service never gives out its own key: the database keeps the root key as the service
encrypted it, and asks it to decrypt that at start, and now and then while it runs.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from undercroft.encryption.keyset import KEY_BYTES
from undercroft.encryption.wrapping import RootKey
from undercroft.http.outgoing import OutgoingFailed, OutgoingRefused, Reply
from undercroft.keys.root import (
    BadRoot,
    MadeRoot,
    Provider,
    RootMissing,
    RootUnavailable,
    StoredRoot,
    WrongRoot,
    check_root,
)

# Whoever runs the server names the service, which is on a private network more often than not.
_ANYWHERE: Final = ("0.0.0.0/0", "::/0")
_OK: Final = 200
_REFUSED: Final = (400, 404, 405)


Post = Callable[[str, bytes, Mapping[str, str], Sequence[str]], Awaitable[Reply]]
"""`http.calling.post`: sends a body to a URL with headers, which may be on these private networks."""


class _Parameters(msgspec.Struct, frozen=True):
    sealed: str


@dataclass(frozen=True, slots=True)
class TransitService:
    """Where a transit service is, and by which of its keys; `token` reads what lets us in whenever it is needed."""

    url: str
    key: str
    mount: str
    namespace: str
    token: Callable[[], str] = field(repr=False)
    post: Post = field(repr=False)

    async def ask(self, deed: str, values: Mapping[str, str]) -> Reply:
        """Have the service do something. Raises `RootUnavailable` when it cannot be had, and `BadRoot`."""
        headers = {"X-Vault-Token": self.token(), "X-Vault-Request": "true", "Content-Type": "application/json"}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        url = f"{self.url.rstrip('/')}/v1/{self.mount}/{deed}/{self.key}"
        try:
            reply = await self.post(url, msgspec.json.encode(values), headers, _ANYWHERE)
        except OutgoingFailed as failure:
            raise RootUnavailable(f"The transit service at {self.url} cannot be reached: {failure}") from failure
        except OutgoingRefused as refusal:
            raise BadRoot(f"The transit service cannot be at {self.url}: {refusal}") from refusal
        if reply.number not in (_OK, *_REFUSED):
            told = f"answers {reply.number}{_errors(reply)}"
            raise RootUnavailable(f"The transit service at {self.url} {told}; its key is {self.mount}/{self.key}.")
        return reply


class TransitRoot:
    """A root key under a key of a transit service."""

    provider: Provider = "transit"
    is_remote = True
    warning = ""

    def __init__(self, service: TransitService) -> None:
        self._service = service

    @property
    def source(self) -> str:
        """Where it is."""
        return f"of the transit service at {self._service.url}, key {self._service.mount}/{self._service.key}"

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key. Raises `WrongRoot`, `RootMissing`, `BadRoot` and `RootUnavailable`."""
        if stored.provider != self.provider:
            raise RootMissing(stored, self.source)
        try:
            sealed = msgspec.json.decode(stored.parameters, type=_Parameters).sealed
        except msgspec.MsgspecError as error:
            raise BadRoot("The database does not hold the root key that the transit service opens.") from error
        reply = await self._service.ask("decrypt", {"ciphertext": sealed})
        if reply.number != _OK:
            raise WrongRoot(self.source, stored, f"unknown, for it answers {reply.number}{_errors(reply)}")
        return check_root(self, stored, _key(stored.version, _data(reply, "plaintext")))

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """A random root key, encrypted by the service. Raises `BadRoot` and `RootUnavailable`."""
        del is_fresh  # it is, always
        key = RootKey(version, secrets.token_bytes(KEY_BYTES))
        reply = await self._service.ask("encrypt", {"plaintext": b64encode(key.material).decode()})
        if reply.number != _OK:
            raise BadRoot(f"No root key can be made {self.source}: it answers {reply.number}{_errors(reply)}.")
        parameters = _Parameters(_data(reply, "ciphertext"))
        return MadeRoot(key, msgspec.json.encode(parameters).decode())


def read_token(path: Path) -> str:
    """The token in a file, which may be another one each time. Raises `RootUnavailable`."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise RootUnavailable(f"The token for the transit service cannot be read from {path}.") from None


def _key(version: int, plaintext: str) -> RootKey:
    try:
        return RootKey(version, b64decode(plaintext))
    except ValueError:
        raise RootUnavailable("The transit service gave something that is no root key.") from None


def _data(reply: Reply, name: str) -> str:
    """A value of an answer."""
    try:
        found: Any = msgspec.json.decode(reply.body)["data"][name]
    except (msgspec.DecodeError, KeyError, TypeError):
        found = None
    if not isinstance(found, str):
        raise RootUnavailable("The transit service gives an answer that is none.")
    return found


def _errors(reply: Reply) -> str:
    """What an answer says went wrong, as far as it says so the way these services do."""
    try:
        found = msgspec.json.decode(reply.body, type=dict[str, list[str]]).get("errors", [])
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = []
    told = "; ".join(" ".join(line.split())[:200] for line in found[:3])
    return f" ({told})" if told else ""
