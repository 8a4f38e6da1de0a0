"""The two ceremonies of WebAuthn (W3C, Level 3): what a browser is asked for, and whether to believe what it brings.

The origin and the relying party are those of the application's configured URL, whatever address
a request claims to have come for. A challenge is a ticket: kept for five minutes, used up by
the first answer that names it, right or wrong, and bound to its ceremony and to who asked.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from asyncio import to_thread
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from undercroft.auth.passkeys import Details, Passkey
from undercroft.collections.options import Verification
from undercroft.domains import ascii_domain
from undercroft.errors import BadRequest
from undercroft.ids import record_id
from undercroft.query.scope import Identity
from undercroft.settings.settings import Meta

T = TypeVar("T")
SECONDS: Final = 300
LARGEST: Final = 64 * 1024  # bytes of a credential as JSON
_ALGORITHMS: Final = (-8, -7, -257)  # EdDSA, ES256, RS256
_PORTS: Final = {"http": 80, "https": 443}
_log = logging.getLogger("undercroft")


class PasskeyRefused(BadRequest):
    """The passkey's answer is not good: of another site, account or challenge, altered, too late or used before."""

    code = "passkey_refused"
    default = "The passkey was not accepted. Try again."


class NoPasskeyOrigin(BadRequest):
    """Browsers make passkeys for names of hosts, and the application's URL has none."""

    code = "no_passkey_origin"

    def __init__(self, url: str) -> None:
        super().__init__(f"Passkeys need the application's own address in the setting meta.appURL; {url!r} is none.")


class ClientData(msgspec.Struct, frozen=True, rename="camel"):
    """What a browser says it was asked; not yet believed."""

    challenge: str
    cross_origin: bool = False


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    client_data: str = msgspec.field(name="clientDataJSON")
    user_handle: str | None = None
    transports: tuple[str, ...] = ()


class Brought(msgspec.Struct, frozen=True):
    """What a browser brings: `PublicKeyCredential.toJSON()`, as far as it is read before it is checked."""

    id: str
    response: _Response

    @property
    def client_data(self) -> ClientData:
        """What the browser says it was asked, not within a page of another site. Raises `PasskeyRefused`."""
        try:
            said = msgspec.json.decode(from_base64(self.response.client_data), type=ClientData)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise PasskeyRefused from error
        if said.cross_origin:
            raise PasskeyRefused
        return said


@dataclass(frozen=True, slots=True)
class Party:
    """The site that passkeys are for: the name of its host, the one origin of its pages, and what it is called."""

    id: str
    origin: str
    name: str

    @classmethod
    def of(cls, meta: Meta) -> Party:
        """The site of the application's URL. Raises `NoPasskeyOrigin`."""
        url = meta.app_url if "://" in meta.app_url else f"https://{meta.app_url}"
        try:
            parts = urlsplit(url)
            host, port = ascii_domain(parts.hostname or ""), parts.port
        except ValueError:
            host, port = "", None
        if not host or _is_address(host) or parts.scheme not in _PORTS:
            raise NoPasskeyOrigin(meta.app_url)
        shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
        return cls(host, f"{parts.scheme}://{host}{shown}", meta.app_name)


def new_challenge() -> str:
    """Something that nobody has signed before, as base64url."""
    return secrets.token_urlsafe(32)


def handle_of(account: Identity, key: bytes) -> str:
    """What authenticators call an account: the same for all its passkeys, and it tells nothing."""
    told = f"passkey {account.collection.id} {account.id}".encode()
    return to_base64(hmac.new(key, told, "sha256").digest())


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What is asked of a browser: for which site, with which challenge, and with or without which passkeys.

    `verification` says whether the authenticator must know its user, by a finger or a PIN.
    """

    party: Party
    challenge: str
    verification: Verification = "required"
    known: Sequence[Passkey] = ()


def creation_options(ceremony: Ceremony, account: Identity, handle: str) -> dict[str, Any]:
    """What a browser makes a passkey with, as `PublicKeyCredential.parseCreationOptionsFromJSON` takes it."""
    return {
        "rp": {"id": ceremony.party.id, "name": ceremony.party.name},
        "user": {"id": handle, **_names(account)},
        "challenge": ceremony.challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in _ALGORITHMS],
        "timeout": SECONDS * 1000,
        "excludeCredentials": [_describe(each) for each in ceremony.known],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": ceremony.verification,
        },
        "attestation": "none",
    }


def request_options(ceremony: Ceremony) -> dict[str, Any]:
    """What a browser uses a passkey for, as `parseRequestOptionsFromJSON` takes it; without `known`, any."""
    return {
        "rpId": ceremony.party.id,
        "challenge": ceremony.challenge,
        "timeout": SECONDS * 1000,
        "allowCredentials": [_describe(each) for each in ceremony.known],
        "userVerification": ceremony.verification,
    }


def read_brought(credential: Mapping[str, Any]) -> Brought:
    """What a browser brought, unchecked. Raises `PasskeyRefused`."""
    try:
        if len(msgspec.json.encode(credential)) > LARGEST:
            raise PasskeyRefused
        return msgspec.convert(credential, Brought)
    except (msgspec.ValidationError, msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise PasskeyRefused from error


async def check_creation(ceremony: Ceremony, credential: Mapping[str, Any], account: Identity, handle: str) -> Passkey:
    """The passkey that was made, without a name. Raises `PasskeyRefused`."""

    def verify() -> Passkey:
        from webauthn import verify_registration_response  # noqa: PLC0415 - see LAZY in tests/house/test_layers.py
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 - likewise

        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=from_base64(ceremony.challenge),
            expected_rp_id=ceremony.party.id,
            expected_origin=ceremony.party.origin,
            require_user_verification=ceremony.verification == "required",
            supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in _ALGORITHMS],
        )
        brought = read_brought(credential)
        if brought.id != to_base64(made.credential_id):
            raise PasskeyRefused
        details = Details(brought.response.transports[:8], made.aaguid, made.credential_backed_up)
        return Passkey(
            id=record_id(),
            collection=account.collection.id,
            record=account.id,
            credential=to_base64(made.credential_id),
            handle=handle,
            key=to_base64(made.credential_public_key),
            name="",
            details=details,
            counter=made.sign_count,
            created=time.time(),
        )

    return await _believe(verify)


@dataclass(frozen=True, slots=True)
class Proven:
    """A passkey's answer that is good: its counter by now, and whether the authenticator knew its user."""

    counter: int
    is_verified: bool


async def check_use(ceremony: Ceremony, credential: Mapping[str, Any], passkey: Passkey) -> Proven:
    """What the answer of a passkey proves. Raises `PasskeyRefused`."""

    def verify() -> Proven:
        from webauthn import verify_authentication_response  # noqa: PLC0415 - see LAZY in tests/house/test_layers.py

        used = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=from_base64(ceremony.challenge),
            expected_rp_id=ceremony.party.id,
            expected_origin=ceremony.party.origin,
            credential_public_key=from_base64(passkey.key),
            credential_current_sign_count=passkey.counter,
            require_user_verification=ceremony.verification == "required",
        )
        return Proven(used.new_sign_count, used.user_verified)

    return await _believe(verify)


def to_base64(raw: bytes) -> str:
    """Bytes as base64url, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The bytes behind base64url. Raises `ValueError`."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


async def _believe(verify: Callable[[], T]) -> T:
    """What a check yields; it is made on a thread, because the first one loads a library."""
    try:
        return await to_thread(verify)
    except PasskeyRefused:
        raise
    except Exception as error:  # what a stranger sends can make the parsers of CBOR and keys raise anything
        _log.debug("A passkey was refused: %s", error)
        raise PasskeyRefused from error


def _describe(passkey: Passkey) -> dict[str, Any]:
    return {"type": "public-key", "id": passkey.credential, "transports": list(passkey.details.transports)}


def _names(account: Identity) -> dict[str, str]:
    """What an authenticator shows of an account."""
    auth, record = account.collection.auth, account.record
    fields = auth.password_auth.identity_fields if auth else ()
    known = [str(record[name]) for name in ("email", *fields) if record.get(name)]
    shown = record.get("name")
    name = known[0] if known else account.id
    return {"name": name, "displayName": shown if isinstance(shown, str) and shown else name}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
