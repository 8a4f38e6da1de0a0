"""A root key that is encrypted to an age identity; the database keeps it so, and the identity opens it."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import msgspec

from undercroft.database.refusals import StartRefused
from undercroft.encryption.keyset import KEY_BYTES
from undercroft.encryption.wrapping import RootKey
from undercroft.keys.root import BadRoot, MadeRoot, Provider, RootMissing, StoredRoot, WrongRoot, check_root


class MissingAge(StartRefused):
    """What reads age identities is not installed."""

    code = "missing_age"

    def __init__(self) -> None:
        super().__init__("Root keys under an age identity need its library: pip install 'undercroft[age]'.")


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
        pyrage = _library()
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
        pyrage = _library()
        _, recipient = self._read()
        key = RootKey(version, secrets.token_bytes(KEY_BYTES))
        sealed: bytes = pyrage.encrypt(key.material, [pyrage.x25519.Recipient.from_str(recipient)])
        parameters = _Parameters(recipient, b64encode(sealed).decode())
        return MadeRoot(key, msgspec.json.encode(parameters).decode())

    def _read(self) -> tuple[object, str]:
        """The identity, and whom one encrypts to for it."""
        pyrage = _library()
        try:
            lines = self._path.read_text(encoding="ascii").split()
            identity = pyrage.x25519.Identity.from_str(next(line for line in lines if line.startswith("AGE-SECRET-")))
        except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError):
            # What is in there is a secret, and so may be what is said about it.
            raise BadRoot(f"There is no age identity that can be read in {self._path}.") from None
        return identity, str(identity.to_public())


def _parse(text: str) -> _Parameters:
    try:
        return msgspec.json.decode(text, type=_Parameters)
    except msgspec.MsgspecError as error:
        raise BadRoot("The database does not hold the root key that the age identity opens.") from error


def _library() -> Any:  # a module without types
    try:
        import pyrage  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise MissingAge from error
    return pyrage
