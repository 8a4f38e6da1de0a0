"""JSON bodies: what is read, what is refused, and how long that takes."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.http.json_text import MAX_DEPTH, BadBody, parse_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b"null", {}),
        (b' \t\r\n{ "a" :\n"x" } \n', {"a": "x"}),
        (b'{"a": 1}{"a": 2}', {"a": 1}),
        (b'{"a": 1} and more \xff', {"a": 1}),
        (b'{"a": "\\u0000"}', {"a": "\0"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": -0}', {"a": 0}),
        (b'{"": 1}', {"": 1}),
        (b'{"a": "x:y", "b": {"a": "\\":"}}', {"a": "x:y", "b": {"a": '":'}}),
        (b'{"a": {"k": 1}, "b": {"k": 2}}', {"a": {"k": 1}, "b": {"k": 2}}),
    ],
)
def test_read(raw, value):
    """One object is read; what follows it does not matter."""
    assert parse_object(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"5",
        b"[]",
        b'"text"',
        b"{'a': 1}",
        b'{"a": 1, "a": 1}',
        b'{"a" :1, "b": {"c": ":", "c": 1}}',
        b'[{"a": 1}]',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": ' + b"9" * 400 + b"}",
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": 0x10}',
        b'{"a": 01}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00"}',
        b'{"\\ud800": 1}',
        b'{"a": "\xff\xfe"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "b\x01"}',
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08",
        b"",
    ],
)
def test_refused(raw):
    """What is no object, or means different things to different readers, is refused."""
    with pytest.raises(BadBody):
        parse_object(raw)


def test_numbers_up_to_the_largest_double():
    """A whole number may be as large as a double can be."""
    assert parse_object(b'{"a": 1' + b"0" * 308 + b"}") == {"a": 10**308}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("is_closed", [True, False])
def test_depth_is_bounded(opening, is_closed):
    """Brackets by the hundred thousand are refused at once."""
    closing = {b"[": b"]", b'{"a":': b"}"}[opening] if is_closed else b""
    began = time.process_time()

    with pytest.raises(BadBody):
        parse_object(b'{"a":' + opening * 100_000 + b"1" + closing * 100_000 + b"}")

    assert time.process_time() - began < 1


@pytest.mark.parametrize("item", [b"[],", b"{},", b"1,", b'"",', b'[",",["'])
def test_values_are_bounded(item):
    """A body whose values would fill the memory is refused before they are made."""
    began = time.process_time()

    with pytest.raises(BadBody, match="values"):
        parse_object(b'{"a":[' + item * 2_000_000 + b"1]}")

    assert time.process_time() - began < 3


def test_text_may_look_like_many_values():
    """Commas and brackets inside of strings are no values."""
    text = ",[{" * 1_000_000

    assert parse_object(json.dumps({"a": text, "b": '\\",'}).encode()) == {"a": text, "b": '\\",'}


def test_depth_that_is_allowed():
    """As deep as anyone needs is fine."""
    deep = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"

    assert "a" in parse_object(deep)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=6))
def test_what_others_write_is_read(value):
    """Whatever an honest client writes arrives as it was meant."""
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=4), st.data())
def test_repeated_keys_are_found(value, data):
    """A key that is there twice is noticed, wherever it is and whatever strings contain."""
    key = data.draw(st.sampled_from(sorted(value)))
    inner = json.dumps(value)[:-1] + f", {json.dumps(key)} : 1}}"

    with pytest.raises(BadBody):
        parse_object(f'{{"x": [{inner}], "y:": "a\\":b"}}'.encode())


@given(st.binary(max_size=200))
def test_any_bytes_end_well(raw):
    """Bytes are an object, or a bad body; nothing else happens."""
    try:
        parse_object(raw)
    except BadBody:
        return
