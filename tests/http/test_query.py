"""Query strings."""

from hypothesis import given
from hypothesis import strategies as st

from undercroft.http.query import parse_pairs, parse_query


def test_first_value_wins():
    """Of a name that is there twice the first value counts."""
    assert parse_query(b"a=1&a=2") == {"a": "1"}


def test_plus_is_a_space():
    """`+` and `%20` are spaces, `%2B` is a plus."""
    assert parse_query(b"a=x+y%20z%2B") == {"a": "x y z+"}


def test_names_are_unescaped():
    """Names may be escaped as values are."""
    assert parse_query(b"%66ields=id") == {"fields": "id"}


def test_missing_parts_are_empty():
    """A name without a value has an empty one; empty pairs are nothing."""
    assert parse_query(b"a&b=&&=c&") == {"a": "", "b": "", "": "c"}


def test_pair_with_semicolon_is_left_out():
    """A bare semicolon could part two pairs, so its pair is nobody's; an escaped one is text."""
    assert parse_query(b"sort=rank;perPage=1&page=2&filter=a%3Bb") == {"page": "2", "filter": "a;b"}


def test_bad_utf8_becomes_replacement_characters():
    """Bytes that are no UTF-8 are no reason to fail."""
    assert parse_query(b"a=%ff&b=\xff") == {"a": "\ufffd", "b": "\ufffd"}


def test_pairs_keep_repetitions():
    """A form keeps every value of a name, in order."""
    assert parse_pairs(b"t=a&t=b+c") == [("t", "a"), ("t", "b c")]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_query(raw):
    """Whatever comes is read, as text that can be written again."""
    for name, value in parse_query(raw).items():
        (name + value).encode()
