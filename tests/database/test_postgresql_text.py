"""How text with NUL is spelled for PostgreSQL: nothing is lost, and comparing spelled text is comparing text."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.database.postgresql_text import decode_escapes, decode_text, encode_escapes, encode_text
from undercroft.database.postgresql_values import decode_json, encode_json

# Only U+0000 to U+0002 are spelled in another way; a few others tell whether borders are kept.
TEXTS = st.text(st.sampled_from("\0\1\2\3a\\u01é"), max_size=12)
VALUES = st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(TEXTS)
def test_what_is_spelled_is_read_again(text):
    """Every text comes back, and none is spelled with NUL."""
    assert "\0" not in encode_text(text)
    assert decode_text(encode_text(text)) == text


@given(TEXTS, TEXTS)
def test_order_is_kept(one, other):
    """Spelled texts sort as the texts do."""
    assert (encode_text(one) < encode_text(other)) == (one < other)


@given(TEXTS, TEXTS)
def test_parts_are_found(text, part):
    """A part is found in spelled text where it is in the text, and nowhere else."""
    assert (encode_text(part) in encode_text(text)) == (part in text)


@given(VALUES)
def test_json_is_read_again(value):
    r"""Every JSON value comes back, and none is spelled with `\u0000`; a backslash before `u0000` is only text."""
    text = msgspec.json.encode(value, order="sorted").decode()
    held = encode_json(text)

    assert "\\x00" not in repr(msgspec.json.decode(held)).replace("\\\\", "")
    assert decode_escapes(encode_escapes(text)) == text
    assert decode_json(held) == text


@pytest.mark.parametrize("text", ["", "a", "é\n\t\x03", "0001", "\\u0000"])
def test_other_text_stays(text):
    """What needs no other spelling has none, and is the very same object."""
    assert encode_text(text) is text
    assert decode_text(text) is text


@pytest.mark.parametrize("text", ["\1", "a\1b", "\1\1\1", "\2\1"])
def test_what_nobody_spelled_stays(text):
    """Text that another program wrote is shown as it is."""
    assert decode_text(text) == text
