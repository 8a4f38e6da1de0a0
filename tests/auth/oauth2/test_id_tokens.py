"""ID tokens: believed when the provider that was configured has signed them for us, now, and for this request."""

from __future__ import annotations

import re
import time

import pytest
from idp import ADA, CLIENT, KEY, running_idp
from joserfc.jwk import KeySet, RSAKey
from lies import CURVE, EDWARDS, FORGED, SECRET_KEY, STRANGER, WRONG_CLAIMS, honest, lie, signed

from undercroft.auth.oauth2.id_token import BadIdTokenError, Expected, read_id_token
from undercroft.auth.oauth2.provider import ALGORITHMS, set_up
from undercroft.collections.options import OAuth2Provider

pytestmark = pytest.mark.anyio
ISSUER = "https://id.example.com"
LIES = [*WRONG_CLAIMS, *FORGED]
SET = KeySet([KEY, CURVE, EDWARDS]).as_dict()
EXPECTED = Expected([ISSUER], CLIENT, ALGORITHMS, nonce="n-1")


def claims(**more):
    now = int(time.time())
    return {"iss": ISSUER, "aud": CLIENT, "sub": "ada-1", "iat": now, "exp": now + 300, "nonce": "n-1", **more}


def published(*keys, **told):
    """A set as a provider publishes it, with what it says of each of its keys."""
    return {"keys": [{**key.as_dict(private=False), **told} for key in keys]}


def test_there_are_enough():
    """As many as were promised."""
    assert len(WRONG_CLAIMS) >= 20
    assert len(FORGED) >= 25


GOOD = {
    "for us": lambda _: {"aud": [CLIENT]},
    "for others too, asked for by us": lambda _: {"aud": [CLIENT, "their-client"], "azp": CLIENT},
    "asked for by us": lambda _: {"azp": CLIENT},
    "just over": lambda now: {"exp": now - 30},
    "just to come": lambda now: {"iat": now + 30},
    "just not yet": lambda now: {"nbf": now + 30},
    "parts of a second": lambda now: {"exp": now + 300.5},
    "more than we want": lambda _: {"email": "ada@example.com", "extra": {"a": [1, None, "ü"]}},
}


@pytest.mark.parametrize("good", GOOD)
def test_believed(good):
    """What is right is believed, and clocks may differ by a minute."""
    wanted = claims(**GOOD[good](int(time.time())))

    assert read_id_token(honest(wanted), SET, EXPECTED) == wanted


@pytest.mark.parametrize(("key", "alg"), [(KEY, "RS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA"), (EDWARDS, "Ed25519")])
def test_ways_to_sign(key, alg):
    """Every way to sign is known of which only one half is public, whether or not the provider has named it."""
    token = signed(claims(), key, alg=alg)

    assert read_id_token(token, SET, EXPECTED)["sub"] == "ada-1"


def test_headers_that_decide_nothing():
    """What a header says besides is not looked at."""
    token = signed(claims(), KEY, jku="https://evil.example.com/", jwk=STRANGER.as_dict(private=False), x="y")

    assert read_id_token(token, SET, EXPECTED)["sub"] == "ada-1"


def test_the_only_key_need_not_be_named():
    """Where a provider has one key, it is that; of several one must be named."""
    token = signed(claims(), KEY, kid=None)

    assert read_id_token(token, published(KEY), EXPECTED)["sub"] == "ada-1"
    for keys in (SET, published(KEY, KEY), {"keys": []}, {"keys": "x"}, {}, None, {"keys": [5, {}, {"kty": "XX"}]}):
        with pytest.raises(BadIdTokenError):
            read_id_token(token, keys, EXPECTED)


def test_one_bad_key_does_not_spoil_a_set():
    """Keys that nobody understands are passed over."""
    odd = [
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "EC", "crv": "P-1"},
        {"kty": "AKP"},
        {"kty": "RSA"},
        "x",
        None,
    ]
    keys = {"keys": [*odd, *published(KEY)["keys"]]}

    assert read_id_token(honest(claims()), keys, EXPECTED)["sub"] == "ada-1"


@pytest.mark.parametrize(
    ("key", "told", "alg"),
    [
        (KEY, {"use": "enc"}, "RS256"),
        (KEY, {"alg": "RS512"}, "RS256"),
        (KEY, {"n": "w" + "A" * 170}, "RS256"),
        (CURVE, {"alg": "ES384"}, "ES256"),
        (SECRET_KEY, {}, "HS256"),
    ],
    ids=["not to sign with", "for another algorithm", "too short", "for another curve", "secret"],
)
def test_keys_that_are_none(key, told, alg):
    """A key that is not to sign with, or in another way, or is weak, or no secret once it is published, is none."""
    token = signed(claims(), key, alg=alg)
    with pytest.raises(BadIdTokenError):
        read_id_token(token, published(key, **told), EXPECTED)


def test_algorithms_are_configured():
    """What the collection does not allow is not taken, and what is no way to sign cannot be allowed."""
    config = OAuth2Provider(name="oidc", extra={"algorithms": ["ES256", "HS256", "none", 5]})
    expected = Expected([ISSUER], CLIENT, set_up(config).algorithms)

    assert expected.algorithms == ("ES256",)
    assert read_id_token(signed(claims(), CURVE, alg="ES256"), SET, expected)["sub"] == "ada-1"
    with pytest.raises(BadIdTokenError):
        read_id_token(honest(claims()), SET, expected)


def test_somebody_must_be_pinned():
    """Without an issuer nobody is believed."""
    with pytest.raises(BadIdTokenError, match=re.escape("extra.issuers")):
        read_id_token(honest(claims()), SET, Expected([], CLIENT, ALGORITHMS))


def test_an_issuer_for_each_directory():
    """Where the issuer has a part that is the directory's, it must be the one that the token tells of."""
    expected = Expected(["https://login.example.com/{tid}/v2.0"], CLIENT, ALGORITHMS)
    good = {"iss": "https://login.example.com/t-1/v2.0", "tid": "t-1"}

    assert read_id_token(honest(claims(**good)), SET, expected)["tid"] == "t-1"
    for bad in (
        {"tid": "t-2"},
        {"tid": None},
        {"tid": ["t-1"]},
        {"tid": ""},
        {"iss": "https://login.example.com//v2.0", "tid": ""},
    ):
        with pytest.raises(BadIdTokenError):
            read_id_token(honest(claims(**good | bad)), SET, expected)


@pytest.mark.parametrize(
    ("nonce", "is_good"),
    [
        ({"nonce": "n-1"}, True),
        ({"nonce": "n-1", "nonce_supported": True}, True),
        ({"nonce_supported": False}, True),
        ({}, True),
        ({"nonce_supported": True}, False),
        ({"nonce": "n-2", "nonce_supported": False}, False),
    ],
    ids=str,
)
def test_a_nonce_where_supported(nonce, is_good):
    """A provider that says where it has nonces may leave one away there, and never send another one."""
    told = {name: value for name, value in claims().items() if name != "nonce"} | nonce
    expected = Expected([ISSUER], CLIENT, ALGORITHMS, "n-1", may_lack_nonce=True)
    try:
        found = bool(read_id_token(honest(told), SET, expected))
    except BadIdTokenError:
        found = False

    assert found == is_good


async def test_no_lie_gets_in(door):
    """Each of these tokens is refused, and makes no account; the honest one at the end is taken."""
    door.idp.keys = KeySet([KEY, CURVE])
    await door.know(door.idp.signing())
    found = {}
    for name in LIES:
        door.idp.make_token = lambda told, name=name: lie(told, name)
        answer = await door.come(**ADA)
        found[name] = (answer.status, answer.code)
    assert {name: told for name, told in found.items() if told != (400, "oauth2_user_refused")} == {}
    assert await door.accounts() == []

    door.idp.make_token = honest
    assert (await door.come()).json["record"]["email"] == "ada@example.com"


async def test_a_second_issuer(door):
    """A token of another provider, good in itself, is not taken, whatever it says of where its keys are."""
    with running_idp() as other:
        other.keys = KeySet([RSAKey.generate_key(2048, {"kid": "key-1", "alg": "RS256", "use": "sig"})])
        key = other.keys.keys[0]
        await door.know(door.idp.signing())
        theirs = {
            "as itself": lambda told: signed(told | {"iss": other.url}, key, jku=f"{other.url}/jwks"),
            "as ours": lambda told: signed(told, key, jku=f"{other.url}/jwks"),
            "ours as theirs": lambda told: honest(told | {"iss": other.url}),
        }
        found = []
        for make in theirs.values():
            door.idp.make_token = make
            found.append((await door.come()).code)

        assert found == ["oauth2_user_refused"] * 3
        assert other.asked == []


async def test_a_token_of_another_log_in(door):
    """A token that was good for one log-in is not good for the next, though it is still the same person's."""
    await door.know(door.idp.signing())
    kept = []

    def replay(told):
        kept.append(honest(told))
        return kept[0]

    door.idp.make_token = replay
    assert [(await door.come()).status for _ in range(2)] == [200, 400]


async def test_told_and_signed(door):
    """Where a provider is asked and has signed, both must be of the same person."""
    config = door.idp.signing() | {"userInfoURL": f"{door.idp.url}/user"}
    await door.know(config)
    assert (await door.come()).status == 200
    door.idp.alter_user = lambda user: user | {"sub": "eve-1"}
    assert (await door.come()).code == "oauth2_user_refused"
    door.idp.alter_user = lambda user: user
    door.idp.make_token = lambda told: lie(told, "another issuer")

    assert (await door.come()).code == "oauth2_user_refused"


async def test_nobody_to_ask_and_nobody_to_believe(door, caplog):
    """A provider without a URL to ask and without keys is of no use, and the operator is told why."""
    await door.know(door.idp.config(userInfoURL=""))
    answer = await door.come()

    assert (answer.status, answer.code) == (400, "oauth2_user_refused")
    assert "extra.jwksURL" in caplog.text


async def test_keys_that_cannot_be_fetched(door):
    """Without keys nobody is believed."""
    found = []
    for keys in ("http://127.0.0.1:1/jwks", f"{door.idp.url}/nowhere", "http://169.254.169.254/jwks"):
        await door.know(door.idp.signing(jwksURL=keys))
        found.append((await door.come()).code)

    assert found == ["oauth2_user_refused"] * 3
