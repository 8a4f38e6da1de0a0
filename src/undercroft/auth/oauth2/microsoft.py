"""Whose address an account at Microsoft's is.

Whoever runs a directory writes addresses into it as they like, also those of other people. So the
address that Graph tells of is trusted only where one directory is asked, that of the operator;
asked for all directories, a claim of the ID token can be trusted that Microsoft itself has checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from undercroft.auth.oauth2.vendor import EmailClaim, IdToken, Vendor

_EVERYBODY: Final = ("", "common", "organizations", "consumers")
_OWNER_CHECKED: Final = (EmailClaim("email", ("xms_edov",)), EmailClaim("email", ("xms_edov=1",)))
_PRIMARY: Final = EmailClaim("verified_primary_email.0")
_CLAIMS: Final[Mapping[str, tuple[EmailClaim, ...]]] = {
    "email": (EmailClaim("email"),),
    "email_and_xms_edov": _OWNER_CHECKED,
    "verified_primary_email": (_PRIMARY,),
    "any_verified": (_PRIMARY, *_OWNER_CHECKED),
}
_NEVER: Final = (EmailClaim(""),)
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEYS: Final = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
_ISSUER: Final = "https://login.microsoftonline.com/{tid}/v2.0"


def settle(vendor: Vendor, auth_url: str, token_url: str, claim: str) -> Vendor:
    """Microsoft as a collection asks it, whose address is in Graph, or in a claim of the ID token."""
    tenants = {_tenant(url or known) for url, known in ((auth_url, vendor.auth_url), (token_url, vendor.token_url))}
    is_own = len(tenants) == 1 and not tenants & set(_EVERYBODY)
    if not claim:
        return replace(vendor, trusts_email=is_own)
    tenant = tenants.pop()
    issuer = _ISSUER.replace("{tid}", tenant) if is_own and _ID.fullmatch(tenant) else _ISSUER
    return replace(
        vendor,
        scopes=(*vendor.scopes, "openid"),
        trusts_email=True,
        id_token=IdToken(_KEYS, (issuer,)),
        email_claims=_CLAIMS.get(claim, _NEVER),
    )


def _tenant(url: str) -> str:
    """The directory that a URL of Microsoft's names."""
    return urlsplit(url).path.removeprefix("/").partition("/")[0].lower()
