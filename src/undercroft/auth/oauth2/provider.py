"""A provider as one collection uses it: what is known of it, over which goes what the collection says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from undercroft.auth.oauth2.microsoft import settle as settle_microsoft
from undercroft.auth.oauth2.vendor import IdToken, Vendor
from undercroft.auth.oauth2.vendors import VENDORS
from undercroft.collections.collection import Collection
from undercroft.collections.options import OAuth2, OAuth2Provider
from undercroft.collections.providers import PROVIDERS, mark
from undercroft.errors import Forbidden

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""How an ID token may be signed, unless the collection says less: with a key of which only one half is public."""


class OAuth2Off(Forbidden):
    """Accounts of this collection do not log in through others."""

    code = "oauth2_off"
    default = "The collection is not configured to allow OAuth2 authentication."


@dataclass(frozen=True, slots=True)
class Provider:
    """Everything that a log-in through it needs.

    `has_nonce` says whether its ID tokens must tell of the very request that they are an answer to.
    """

    name: str
    display_name: str
    client_id: str
    client_secret: str = field(repr=False)
    auth_url: str
    token_url: str
    user_url: str
    pkce: bool
    vendor: Vendor
    id_token: IdToken | None
    algorithms: tuple[str, ...]
    has_nonce: bool

    @property
    def logo(self) -> str:
        """A small SVG."""
        return mark(PROVIDERS[self.name])

    @property
    def hosts(self) -> frozenset[tuple[str, str]]:
        """Where its own servers are, as schemes and hosts."""
        return frozenset((urlsplit(url).scheme, urlsplit(url).netloc) for url in (self.token_url, self.user_url) if url)


def oauth2_options(collection: Collection) -> OAuth2:
    """How accounts of a collection log in through others. Raises `OAuth2Off`."""
    if collection.auth is None or not collection.auth.oauth2.enabled:
        raise OAuth2Off
    return collection.auth.oauth2


def find_provider(options: OAuth2, name: str) -> Provider | None:
    """The provider of that name, if the collection has it."""
    found = next((each for each in options.providers if each.name == name), None)
    return set_up(found) if found is not None and found.name in VENDORS else None


def set_up(config: OAuth2Provider) -> Provider:
    """A provider as a collection's options have it."""
    extra = config.extra or {}
    vendor = VENDORS[config.name]
    if config.name == "microsoft":
        vendor = settle_microsoft(vendor, config.auth_url, config.token_url, _text(extra, "idTokenEmailClaim"))
    pkce = vendor.pkce if config.pkce is None else config.pkce
    user_url = config.user_info_url or vendor.user_url
    id_token = _id_token(vendor, extra, has_user_url=bool(user_url))
    return Provider(
        name=config.name,
        display_name=config.display_name or PROVIDERS[config.name],
        client_id=config.client_id,
        client_secret=config.client_secret,
        auth_url=config.auth_url or vendor.auth_url,
        token_url=config.token_url or vendor.token_url,
        user_url=user_url,
        pkce=pkce,
        vendor=vendor,
        id_token=id_token,
        algorithms=tuple(name for name in _texts(extra, "algorithms") or ALGORITHMS if name in ALGORITHMS),
        has_nonce=id_token is not None and pkce and extra.get("nonce") is not False,
    )


def _id_token(vendor: Vendor, extra: Mapping[str, Any], *, has_user_url: bool) -> IdToken | None:
    """How the ID token is signed; None where nobody needs to read it, for the provider can be asked."""
    known = vendor.id_token
    if known is None:
        return None
    jwks_url = _text(extra, "jwksURL") or known.jwks_url
    if has_user_url and not jwks_url:
        return None
    return replace(known, jwks_url=jwks_url, issuers=tuple(_texts(extra, "issuers")) or known.issuers)


def _text(extra: Mapping[str, Any], name: str) -> str:
    found = extra.get(name)
    return found if isinstance(found, str) else ""


def _texts(extra: Mapping[str, Any], name: str) -> list[str]:
    found = extra.get(name)
    given = found if isinstance(found, list) else [found]
    return [each for each in given if isinstance(each, str) and each]
