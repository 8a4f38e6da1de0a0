"""The root key, which all stored keys are wrapped with, and where it comes from.

It is never in the database. What is there is which version of it is in use, whose it
is (`provider`), what that one needs to give it out again, and a check value by which a
wrong one is known before anything is read or written with it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.positions import Read
from undercroft.database.refusals import StartRefused
from undercroft.dates import now
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.wrapping import RootKey

Provider = Literal["file", "environment", "passphrase", "age", "transit"]
SHOWN: Final = 8
"""How many digits of a check value are shown; it tells keys apart and is no secret."""


class WrongRoot(StartRefused):
    """The root key that is there is not the one that the keys in the database were wrapped with."""

    code = "wrong_root"

    def __init__(self, source: str, stored: StoredRoot, found: str) -> None:
        super().__init__(
            f"The root key {source} does not open the keys in this database: they were wrapped with "
            f"{stored.name}, and its check value is {found}. Give the root key with the check value "
            f"{stored.check[:SHOWN]}, from where it was kept, or this database's own data directory. "
            "Nothing was changed."
        )


class RootMissing(StartRefused):
    """The database has keys, and the root key that they were wrapped with is not there."""

    code = "root_missing"

    def __init__(self, stored: StoredRoot, looked: str) -> None:
        super().__init__(
            f"This database has keys that were wrapped with {stored.name}, and there is no root key {looked}: "
            "put it there from where it was kept, or say where it is (--root-key-file FILE, UNDERCROFT_ROOT_KEY, "
            "or another provider). Nothing was changed."
        )


class BadRoot(StartRefused):
    """A root key, or what it is made of, cannot be read."""

    code = "bad_root"


class RootUnavailable(KeysUnavailable):
    """Whoever keeps the root key does not give it out now; it is asked again and again."""

    code = "root_unavailable"


@dataclass(frozen=True, slots=True)
class StoredRoot:
    """What the database says about the root key in use. `parameters` are the provider's, as JSON text."""

    version: int
    provider: str
    parameters: str
    check: str
    created: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"version {self.version} of the root key (provider {self.provider}, check value {self.check[:SHOWN]})"


@dataclass(frozen=True, slots=True)
class MadeRoot:
    """A root key for a version, with what the provider needs to give it out again.

    `settle` is called once the database says that it is in use, and `undo` when it will not be.
    """

    key: RootKey
    parameters: str = field(default="{}", repr=False)
    settle: Callable[[], object] = field(default=lambda: None, repr=False)
    undo: Callable[[], object] = field(default=lambda: None, repr=False)


class Root(Protocol):
    """Whoever keeps the root key. `source` says where, as it stands in messages; `warning` what to know of that.

    One that `is_remote` may be away for a while; what it gave out is then good for a while, too.
    """

    provider: Provider
    is_remote: bool

    @property
    def source(self) -> str: ...

    @property
    def warning(self) -> str: ...

    async def unlock(self, stored: StoredRoot) -> RootKey:
        """The root key. Raises `WrongRoot`, `RootMissing`, `BadRoot` and `RootUnavailable`."""
        ...

    async def make(self, version: int, *, is_fresh: bool = False) -> MadeRoot:
        """A root key to wrap keys with from now on; with `is_fresh` another one than may be there.

        Raises `BadRoot` and `RootUnavailable`.
        """
        ...


def check_root(root: Root, stored: StoredRoot, *candidates: RootKey) -> RootKey:
    """The candidate that the stored keys were wrapped with. Raises `WrongRoot`."""
    for key in candidates:
        if hmac.compare_digest(key.check, stored.check):
            return key
    raise WrongRoot(root.source, stored, candidates[0].check[:SHOWN])


async def load_root(read: Read) -> StoredRoot | None:
    """What the database says about its root key; None when it has no keys."""
    rows = await read('SELECT "version", "provider", "parameters", "check_value", "created" FROM "_roots"', ())
    if not rows:
        return None
    version, provider, parameters, check, created = rows[0]
    return StoredRoot(int(version or 0), str(provider), str(parameters), str(check), str(created))


async def save_root(tx: Transaction, dialect: Dialect, provider: Provider, made: MadeRoot) -> None:
    """Write down which root key is in use from now on."""
    await tx.run('DELETE FROM "_roots"')
    marks = ", ".join(dialect.placeholder(at) for at in range(1, 7))
    sql = f"""INSERT INTO "_roots" ("id", "version", "provider", "parameters", "check_value", "created")
        VALUES ({marks})"""
    await tx.run(sql, ("root", made.key.version, provider, made.parameters, made.key.check, now()))
