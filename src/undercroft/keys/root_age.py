"""A root key that is encrypted to an age identity; the database keeps it so, and the identity opens it."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from pathlib import Path

import msgspec

from undercroft.encryption.keyset import KEY_BYTES
from undercroft.encryption.wrapping import RootKey
from undercroft.keys.age import library, read_identity
from undercroft.keys.root import BadRoot, MadeRoot, Provider, RootMissing, StoredRoot, WrongRoot, check_root


class _Parameters(msgspec.Struct, frozen=True):
    recipient: str
    sealed: str


class AgeRoot:
    """An age identity in a file, as `age-keygen` makes it."""

    provider: Provider = "age"
    is_remote = False
    warning = ""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def source(self) -> str:
        """Where it is."""
        return f"of the age identity in {self._path}"

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key, decrypted with the identity. Raises `WrongRoot`, `RootMissing`, `BadRoot` and `MissingAge`."""
        if stored.provider != self.provider or not self._path.exists():
            raise RootMissing(stored, self.source)
        parameters = _parse(stored.parameters)
        identity, recipient = self._read()
        pyrage = library()
        try:
            material: bytes = pyrage.decrypt(b64decode(parameters.sealed), [identity])
        except (pyrage.DecryptError, ValueError):
            raise WrongRoot(self.source, stored, f"unknown, for {recipient} is not {parameters.recipient}") from None
        return check_root(self, stored, RootKey(stored.version, material))

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """A random root key, encrypted to the identity. Raises `BadRoot` and `MissingAge`."""
        del is_fresh  # it is, always
        if not self._path.exists():
            raise BadRoot(f"There is no age identity in {self._path}: make one with age-keygen -o {self._path}.")
        pyrage = library()
        _, recipient = self._read()
        key = RootKey(version, secrets.token_bytes(KEY_BYTES))
        sealed: bytes = pyrage.encrypt(key.material, [pyrage.x25519.Recipient.from_str(recipient)])
        parameters = _Parameters(recipient, b64encode(sealed).decode())
        return MadeRoot(key, msgspec.json.encode(parameters).decode())

    def _read(self) -> tuple[object, str]:
        """The identity, and whom one encrypts to for it."""
        found = read_identity(self._path)
        if found is None:
            raise BadRoot(f"There is no age identity that can be read in {self._path}.")
        return found


def _parse(text: str) -> _Parameters:
    try:
        return msgspec.json.decode(text, type=_Parameters)
    except msgspec.MsgspecError as error:
        raise BadRoot("The database does not hold the root key that the age identity opens.") from error
