"""A root key that is stretched from a passphrase: nothing of it lies anywhere."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable

import msgspec

from undercroft.encryption.failures import UnusablePassphrase
from undercroft.encryption.wrapping import RootKey, Stretching, new_stretching, stretch
from undercroft.keys.root import BadRoot, MadeRoot, Provider, RootMissing, StoredRoot, check_root


class KeptStretching(msgspec.Struct, frozen=True):
    """A `Stretching` as JSON."""

    salt: str
    memory: int
    passes: int
    lanes: int

    @classmethod
    def of(cls, how: Stretching) -> KeptStretching:
        """What is kept of one."""
        return cls(b64encode(how.salt).decode(), how.memory, how.passes, how.lanes)

    def stretching(self) -> Stretching:
        """What was kept. Raises `ValueError`."""
        return Stretching(b64decode(self.salt), self.memory, self.passes, self.lanes)


class PassphraseRoot:
    """A passphrase, which `ask` gives when it is needed; `source` says where from."""

    provider: Provider = "passphrase"
    is_remote = False
    warning = ""

    def __init__(self, source: str, ask: Callable[[], str]) -> None:
        self.source = source
        self._ask = ask

    def __repr__(self) -> str:
        return f"PassphraseRoot({self.source!r})"

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key that the passphrase stands for. Raises `WrongRoot`, `RootMissing` and `BadRoot`."""
        if stored.provider != self.provider:
            raise RootMissing(stored, self.source)
        return check_root(self, stored, await self._stretch(_parse(stored.parameters), stored.version))

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """The root key of the passphrase with a new salt. Raises `BadRoot`."""
        del is_fresh  # with another salt it is another one
        how = new_stretching()
        return MadeRoot(await self._stretch(how, version), msgspec.json.encode(KeptStretching.of(how)).decode())

    async def _stretch(self, how: Stretching, version: int) -> RootKey:
        try:
            # It takes a tenth of a second of computing, which the event loop has no time for.
            return await asyncio.to_thread(stretch, self._ask(), how, version)
        except UnusablePassphrase as error:
            raise BadRoot(error.message()) from error


def _parse(text: str) -> Stretching:
    try:
        return msgspec.json.decode(text, type=KeptStretching).stretching()
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRoot("The database does not say how the passphrase becomes the root key.") from error
