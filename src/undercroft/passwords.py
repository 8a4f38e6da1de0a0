"""Password hashes: Argon2id is written, Argon2id and bcrypt are read.

Slow on purpose, and blocking: call from `auth.passwords.PasswordPool` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from undercroft.errors import BadRequest

LONGEST: Final = 1024  # bytes; more is nobody's password and only costs
BCRYPT_READS: Final = 72  # bytes; bcrypt never looked further
_BCRYPT_MARKS: Final = ("$2a$", "$2b$", "$2y$")

# OWASP's second choice for Argon2id: 19 MiB, two passes, one lane: about 40 ms.
_ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

DUMMY_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$CTKe7rhtArhYCwH2aWxp0Q$ZN2nVqm73UwniGDiWJymLKWCVdv9szfs/xvTz/VVSDg"
"""Of 32 random bytes that nobody kept: costs what every other hash costs, and never matches."""


class UnusablePassword(BadRequest):
    """The password is longer than any real one, or is no text."""

    code = "unusable_password"
    default = f"A password is text of at most {LONGEST} bytes."


class BcryptMissing(RuntimeError):
    """A stored hash is bcrypt's, and the package that reads those is not installed."""

    def __init__(self) -> None:
        super().__init__("Accounts have bcrypt hashes; install what reads them: pip install 'undercroft[bcrypt]'")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and whether its hash should be made anew."""

    ok: bool
    needs_upgrade: bool = False


def hash_password(text: str) -> str:
    """A new hash. Raises `UnusablePassword`."""
    return _ARGON2.hash(encode_password(text))


def verify_password(text: str, stored: str) -> Verdict:
    """Whether the text is the password behind a stored hash; an unknown or empty hash has none.

    Raises `UnusablePassword`, and `BcryptMissing` when a bcrypt hash cannot be read.
    """
    secret = encode_password(text)
    if stored.startswith(_BCRYPT_MARKS):
        ok = _verify_bcrypt(secret, stored)
        return Verdict(ok, needs_upgrade=ok)
    ok = _verify_argon2(secret, stored)
    return Verdict(ok, needs_upgrade=ok and _ARGON2.check_needs_rehash(stored))


def encode_password(text: str) -> bytes:
    """The bytes that are hashed. Raises `UnusablePassword`."""
    try:
        secret = text.encode()
    except UnicodeEncodeError:
        raise UnusablePassword from None
    if len(secret) > LONGEST:
        raise UnusablePassword
    return secret


def _verify_argon2(secret: bytes, stored: str) -> bool:
    try:
        return _ARGON2.verify(stored, secret)
    except (VerificationError, InvalidHashError):
        return False


def _verify_bcrypt(secret: bytes, stored: str) -> bool:
    try:
        import bcrypt  # noqa: PLC0415 - an optional extra, needed only where accounts were imported
    except ImportError:
        raise BcryptMissing from None
    try:
        return bcrypt.checkpw(secret[:BCRYPT_READS], stored.encode())
    except ValueError:
        return False
