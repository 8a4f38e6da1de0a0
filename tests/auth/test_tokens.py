"""Tokens: what they say, who made them, and everything that is none."""

from __future__ import annotations

import json
import time
import timeit

import pytest
from forgery import FORGERIES, Target, resigned, sign
from joserfc import jws, jwt
from joserfc.jwk import OctKey

from undercroft.auth.tokens import Kind, issue, read_claims, verify
from undercroft.collections.collection import Collection
from undercroft.collections.options import AuthOptions, TokenOptions

KINDS: tuple[Kind, ...] = ("auth", "file", "verification", "passwordReset", "emailChange")
OPTIONS = AuthOptions(
    auth_token=TokenOptions(duration=7200, secret="a" * 50),
    file_token=TokenOptions(duration=180, secret="f" * 50),
    verification_token=TokenOptions(duration=86400, secret="v" * 50),
    password_reset_token=TokenOptions(duration=1800, secret="p" * 50),
    email_change_token=TokenOptions(duration=1800, secret="e" * 50),
)
READERS = Collection(id="readers_c", name="readers", type="auth", auth=OPTIONS)
ADA = {"id": "adaxxxxxxxxxxxx", "tokenKey": "k" * 50}
EXTRA: dict[str, dict[str, str | bool]] = {
    "auth": {"refreshable": True},
    "file": {},
    "verification": {"email": "ada@example.com"},
    "passwordReset": {"email": "ada@example.com"},
    "emailChange": {"email": "ada@example.com", "new_email": "new@example.com"},
}


def token(kind: Kind = "auth", duration: int = 0) -> str:
    return issue(kind, READERS, ADA, duration, **EXTRA[kind])


def target() -> Target:
    made = token()
    claims = json.loads(jws.extract_compact(made.encode()).payload)
    return Target(made, claims, ADA["tokenKey"], OPTIONS.auth_token.secret)


@pytest.mark.parametrize("kind", KINDS)
def test_issued_tokens_verify(kind: Kind):
    """A token of every kind verifies as what it is."""
    assert verify(token(kind), READERS, ADA, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_kinds_do_not_mix(kind: Kind, other: Kind):
    """A token of one kind is worthless as any other."""
    assert verify(token(kind), READERS, ADA, other) == (kind == other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_kinds_do_not_mix_under_one_secret(kind: Kind, other: Kind):
    """Even with the same secret for all kinds, the type decides."""
    same = TokenOptions(duration=60, secret="s" * 50)
    options = AuthOptions(
        auth_token=same, file_token=same, verification_token=same, password_reset_token=same, email_change_token=same
    )
    collection = Collection(id="readers_c", name="readers", type="auth", auth=options)
    made = issue(kind, collection, ADA, **EXTRA[kind])

    assert verify(made, collection, ADA, other) == (kind == other)


def test_claims_on_the_wire():
    """An auth token says who, where, what kind, until when, and whether it can be renewed."""
    before = int(time.time())
    claims = json.loads(jws.extract_compact(token().encode()).payload)

    exp = claims.pop("exp")
    assert claims == {"collectionId": "readers_c", "id": "adaxxxxxxxxxxxx", "refreshable": True, "type": "auth"}
    assert before + 7200 <= exp <= before + 7202


def test_claims_not_renewable():
    """A token that cannot be renewed says so, rather than saying nothing."""
    made = issue("auth", READERS, ADA, 60, refreshable=False)

    assert json.loads(jws.extract_compact(made.encode()).payload)["refreshable"] is False


def test_claims_of_mailed_tokens():
    """Tokens sent by mail carry the address they were sent to."""
    claims = read_claims(token("emailChange"))

    assert claims is not None
    assert (claims.email, claims.new_email, claims.refreshable) == ("ada@example.com", "new@example.com", None)


def test_joserfc_believes_ours():
    """What we sign, an independent library verifies, with the key the contract names."""
    key = OctKey.import_key(ADA["tokenKey"] + OPTIONS.auth_token.secret)

    decoded = jwt.decode(token(), key, algorithms=["HS256"])

    assert decoded.header == {"alg": "HS256", "typ": "JWT"}
    assert decoded.claims["id"] == ADA["id"]


def test_we_believe_joserfc():
    """What an independent library signs with that key, we verify."""
    key = OctKey.import_key(ADA["tokenKey"] + OPTIONS.auth_token.secret)
    payload = json.dumps(target().claims).encode()

    made = jws.serialize_compact({"alg": "HS256", "typ": "JWT"}, payload, key)

    assert verify(made, READERS, ADA, "auth")


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forged(forge):
    """A forged token does not verify."""
    assert not verify(forge(target()), READERS, ADA, "auth")


def test_forging_tools_work():
    """The forger's own signature is right when key, header and claims are."""
    good = target()

    assert verify(sign(good.claims, good.key), READERS, ADA, "auth")
    assert verify(resigned(good, exp=int(time.time()) + 5), READERS, ADA, "auth")


def test_every_prefix_fails():
    """A token cut short anywhere does not verify, nor does one that goes on."""
    made = token()

    assert not any(verify(made[:length], READERS, ADA, "auth") for length in range(len(made)))
    assert not any(verify(made + more, READERS, ADA, "auth") for more in ("A", "=", ".", " ", "\n", ".A"))


def test_every_changed_character_fails():
    """No single character of a token can be another."""
    made = token()
    changed = (made[:n] + ("A" if made[n] != "A" else "B") + made[n + 1 :] for n in range(len(made)))

    assert not any(verify(text, READERS, ADA, "auth") for text in changed)


def test_new_token_key_ends_tokens():
    """A new key of the record ends every kind of token it had."""
    fresh = ADA | {"tokenKey": "n" * 50}

    assert not any(verify(token(kind), READERS, fresh, kind) for kind in KINDS)


def test_new_secret_ends_its_kind():
    """A new secret of the collection ends that kind of token, and no other."""
    options = AuthOptions(
        auth_token=TokenOptions(duration=7200, secret="b" * 50),
        file_token=OPTIONS.file_token,
    )
    changed = Collection(id="readers_c", name="readers", type="auth", auth=options)

    assert not verify(token("auth"), changed, ADA, "auth")
    assert verify(token("file"), changed, ADA, "file")


def test_token_of_another_record():
    """A token does not verify for a record with another id, even with the same key."""
    assert not verify(token(), READERS, ADA | {"id": "bobxxxxxxxxxxxx"}, "auth")


def test_token_of_another_collection():
    """A token does not verify in another collection, even with the same secrets and ids."""
    other = Collection(id="staff_c", name="staff", type="auth", auth=OPTIONS)

    assert not verify(token(), other, ADA, "auth")


@pytest.mark.parametrize("record", [ADA | {"tokenKey": ""}, ADA])
def test_keys_are_never_empty(record):
    """A record without a key, or a collection without a secret, believes no token at all."""
    bare = Collection(id="readers_c", name="readers", type="auth", auth=AuthOptions())
    collection = READERS if not record["tokenKey"] else bare

    assert not verify(issue("auth", collection, record, 60, refreshable=True), collection, record, "auth")


def test_expired():
    """A token is good until its moment and not after."""
    assert read_claims(token(duration=1)) is not None
    assert read_claims(token(duration=-1)) is None


def test_verifying_is_cheap():
    """Reading and verifying a token stays far below what a request may cost."""
    made = token()

    best = min(
        timeit.repeat(
            lambda: (read_claims(made), verify(made, READERS, ADA, "auth")),
            number=1000,
            repeat=5,
            timer=time.process_time,
        )
    )

    assert best / 1000 < 60e-6
