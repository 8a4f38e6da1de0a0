"""Values as bytes, and their padding."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.encryption.plain import (
    decode_json,
    decode_number,
    decode_text,
    encode_json,
    encode_number,
    encode_text,
    pad,
    unpad,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.text())
def test_text(text):
    """Text is its own bytes."""
    assert decode_text(encode_text(text)) == text
    assert encode_text(text) == text.encode()


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_number(number):
    """A number comes back as the same number, and its bytes are JSON."""
    assert decode_number(encode_number(number)) == number
    assert decode_json(encode_number(number)) == number


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1, b"1"),
        (1.0, b"1"),
        (-0.0, b"0"),
        (0.1, b"0.1"),
        (-1.5, b"-1.5"),
        (1e300, b"1e+300"),
        (2.0**60, b"%d" % 2**60),
    ],
)
def test_spelling_of_a_number(number, written):
    """Each number has one spelling, the shortest."""
    assert encode_number(number) == written


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_no_number(number):
    """What JSON has no number for is refused."""
    with pytest.raises(ValueError):
        encode_number(number)


@given(JSON)
def test_json(value):
    """A JSON value comes back as it was."""
    assert decode_json(encode_json(value)) == value


def test_json_keeps_its_order():
    """Keys stay in the order in which they came, without spaces between them."""
    assert encode_json({"b": 1, "a": [None, True]}) == b'{"b":1,"a":[null,true]}'


@given(st.text(), st.sampled_from([0, 1, 2, 16, 32, 64, 100]))
def test_padding(text, multiple):
    """Padded text comes back, whatever it ends with and whichever padding the field has by now."""
    padded = pad(text.encode(), multiple)

    assert unpad(padded) == text.encode()
    assert not multiple or len(padded) % multiple == 0


@pytest.mark.parametrize("length", range(70))
def test_length_is_hidden(length):
    """All lengths up to one less than the multiple look the same."""
    assert len(pad(b"a" * length, 32)) == (length // 32 + 1) * 32


@given(st.text(), st.text())
def test_padding_is_unambiguous(one, other):
    """Two texts are never the same bytes, padded or not."""
    spellings = [{pad(text.encode(), multiple) for multiple in (0, 1, 8, 16)} for text in (one, other)]

    assert one == other or not spellings[0] & spellings[1]


def test_text_that_ends_like_padding():
    """Zeros at the end of a text are text."""
    for text in (b"\0", b"a\0\0", "ÿ\0".encode(), b""):
        assert unpad(text) == text
        assert unpad(pad(text, 16)) == text
