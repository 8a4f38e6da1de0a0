"""Codes of authenticator apps, as RFC 6238 has them."""

from __future__ import annotations

from base64 import b32decode, b32encode

import pytest

from undercroft.auth.totp_codes import code_at, matching_steps, new_seed, seed_uri

SEED = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_published_codes(moment, code):
    """The last six digits of the eight in appendix B."""
    assert code_at(SEED, moment // 30) == code[-6:]


def test_clocks_may_be_off_by_one_step():
    """A code counts in its own step and in those beside it."""
    code = code_at(SEED, 100)

    found = [matching_steps(SEED, code, step * 30) for step in (98, 99, 100, 101, 102)]

    assert found == [[], [100], [100], [100], []]


@pytest.mark.parametrize("code", ["", "94287", "０94287", "é" * 6, "\ud800" * 6, "-94287"])
def test_odd_codes_match_nothing(code):
    """Text that is no code is none."""
    assert matching_steps(SEED, code, 59) == []


def test_seeds_are_long_and_new():
    """A secret has 160 bits of chance."""
    one, other = new_seed(), new_seed()

    assert one != other
    assert len(b32decode(one)) == 20


def test_uri():
    """What apps read names the application and the account, whatever signs are in them."""
    assert seed_uri("ABC", "Club & Co", "a+b@example.com") == (
        "otpauth://totp/Club%20%26%20Co%3Aa%2Bb%40example.com"
        "?secret=ABC&issuer=Club%20%26%20Co&algorithm=SHA1&digits=6&period=30"
    )
