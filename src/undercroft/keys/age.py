"""age identities and recipients, by a library that is an optional extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undercroft.database.refusals import StartRefused


class MissingAge(StartRefused):
    """What reads age identities is not installed."""

    code = "missing_age"

    def __init__(self) -> None:
        super().__init__("What is encrypted to an age identity needs its library: pip install 'undercroft[age]'.")


def read_identity(path: Path) -> tuple[object, str] | None:
    """The identity in a file, as `age-keygen` makes it, and its recipient; None when there is none.

    Raises `MissingAge`. What is in the file is a secret, and so may be what is said about it.
    """
    pyrage = library()
    try:
        lines = path.read_text(encoding="ascii").split()
        identity = pyrage.x25519.Identity.from_str(next(line for line in lines if line.startswith("AGE-SECRET-")))
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError):
        return None
    return identity, str(identity.to_public())


def library() -> Any:  # a module without types
    """The library. Raises `MissingAge`."""
    try:
        import pyrage  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise MissingAge from error
    return pyrage
