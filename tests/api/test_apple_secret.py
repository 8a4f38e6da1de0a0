"""The secret for Sign in with Apple."""

import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jwt
from joserfc.jwk import ECKey

from undercroft.api.apple_secret import AppleForm, UnusableKey, make_secret


def pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def test_secret():
    """The secret is signed with the key, and says what Apple asks for."""
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    token = jwt.decode(make_secret(AppleForm("app", "T" * 10, "K" * 10, key, 100)), ECKey.import_key(key))

    assert token.header == {"typ": "JWT", "alg": "ES256", "kid": "K" * 10}
    assert token.claims["iss"] == "T" * 10
    assert token.claims["sub"] == "app"
    assert token.claims["aud"] == "https://appleid.apple.com"
    assert 90 < token.claims["exp"] - time.time() <= 100


@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["no key", "other kind", "other curve"],
)
def test_unusable_key(key):
    """A key that cannot sign so is refused."""
    with pytest.raises(UnusableKey):
        make_secret(AppleForm("app", "T" * 10, "K" * 10, key, 100))
