"""What is known of a provider of OAuth2, as data: where it is asked, and how its answers are read.

Values are found in an answer by *paths*: `data.0.id` is the id of the first of `data`. A *needs* is
something that must hold of an answer: `verified` is true, `!is_avatar_empty` is not, `?confirmed_at`
is there, `status=active` has that text, `scope~primary` is a list with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

_PART: Final = re.compile(r"\{([^}]+)\}")
_TRUE: Final = "true"


@dataclass(frozen=True, slots=True)
class Emails:
    """A second request, for the addresses of somebody: the first one of which everything holds is theirs.

    `url` is added to that of the first request, or stands in place of its last part when it begins without a slash.
    """

    url: str
    needs: tuple[str, ...]
    items: str = ""
    email: str = "email"


@dataclass(frozen=True, slots=True)
class IdToken:
    """How a provider signs who somebody is. `{tid}` in an issuer is what the token says under that name.

    `nonce` says whether a nonce must come back, or does so only where the provider has it.
    """

    jwks_url: str = ""
    issuers: tuple[str, ...] = ()
    nonce: Literal["required", "where supported"] = "required"


@dataclass(frozen=True, slots=True)
class EmailClaim:
    """A claim of the ID token that is an address when all of that holds of the token."""

    path: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vendor:
    """A provider as it is for everybody.

    `id` to `email` are paths, or texts with paths in braces, of which the first one that is there
    counts. An address is one only when all of `verified` holds. Nobody is let in of whom something of
    `active` does not hold. `trusts_email` says whether an address is proven to be its owner's.
    With `email_claims` the address is in the ID token, and the first of them that is there. What is
    `added` is told beside the access token.
    `query` is sent where the provider is asked by GraphQL; braces in `headers` are `{client_id}`.
    """

    auth_url: str = ""
    token_url: str = ""
    user_url: str = ""
    scopes: tuple[str, ...] = ()
    pkce: bool = True
    id: str = "id"
    name: tuple[str, ...] = ()
    username: tuple[str, ...] = ()
    avatar: str = ""
    avatar_needs: tuple[str, ...] = ()
    email: str = ""
    verified: tuple[str, ...] = ()
    emails: Emails | None = None
    trusts_email: bool = True
    active: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    id_token: IdToken | None = None
    email_claims: tuple[EmailClaim, ...] = ()
    username_is_address: bool = False
    added: tuple[str, ...] = ()
    email_with_token: bool = False


def find(answer: Any, path: str) -> Any:
    """The value at a path; None when there is none."""
    for key in path.split(".") if path else ():
        if isinstance(answer, dict):
            answer = answer.get(key)
        elif isinstance(answer, list) and key.isdigit() and int(key) < len(answer):
            answer = answer[int(key)]
        else:
            return None
    return answer


def read_text(answer: Any, wanted: str) -> str:
    """The text at a path, or a text with paths in braces filled in; whole numbers are texts too."""
    if "{" in wanted:
        return _PART.sub(lambda part: read_text(answer, part[1]), wanted).strip()
    found = find(answer, wanted) if wanted else None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found) if found > 0 else ""
    return found if isinstance(found, str) else ""


def read_first(answer: Any, wanted: Iterable[str]) -> str:
    """The first of several texts that is there."""
    return next(filter(None, (read_text(answer, each) for each in wanted)), "")


def holds(answer: Any, needs: Iterable[str]) -> bool:
    """Whether all of that is so."""
    return all(_holds(answer, each) for each in needs)


def _holds(answer: Any, needs: str) -> bool:
    if needs.startswith("!"):
        return not is_true(find(answer, needs[1:]))
    if needs.startswith("?"):
        return bool(read_text(answer, needs[1:]))
    if "=" in needs:
        path, text = needs.split("=")
        return read_text(answer, path) == text
    if "~" in needs:
        path, text = needs.split("~")
        found = find(answer, path)
        return isinstance(found, list) and text in found
    return is_true(find(answer, needs))


def is_true(value: Any) -> bool:
    """Whether a provider says yes: `true`, which some write as a text. Nothing else is a yes."""
    return value is True or (isinstance(value, str) and value.lower() == _TRUE)
