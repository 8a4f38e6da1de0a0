"""What each field type makes of what callers send, and what it refuses."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.collections.fields.registry import TYPES, load_field

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
OPTIONS = {"select": {"values": ["a", "b"]}, "relation": {"collectionId": "c"}}
POINT = {"lon": 0, "lat": 0}


def field(kind, **options):
    return load_field({"type": kind, **OPTIONS.get(kind, {}), **options})


@pytest.mark.parametrize(
    ("kind", "sent", "stored"),
    [
        ("text", "  padded  ", "  padded  "),
        ("text", 12, "12"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", 1e21, "1000000000000000000000"),
        ("text", 1.25e-7, "0.000000125"),
        ("text", 2**53 + 1, "9007199254740992"),
        ("text", None, ""),
        ("text", ["a"], ""),
        ("editor", "<p></p>", "<p></p>"),
        ("number", "12.5", 12.5),
        ("number", "1e3", 1000),
        ("number", ".5", 0.5),
        ("number", True, 1),
        ("number", "0x10", 0),
        ("number", " 5", 0),
        ("number", "abc", 0),
        ("number", "1e400", 0),
        ("number", [5], 0),
        ("number", -0.0, 0),
        ("number", 9007199254740993, 9007199254740992),
        ("bool", "t", True),
        ("bool", "TRUE", True),
        ("bool", "yes", False),
        ("bool", 0.5, True),
        ("bool", [True], False),
        ("date", "2022-01-02", "2022-01-02 00:00:00.000Z"),
        ("date", "2022-13-01", ""),
        ("date", "0500-01-02 03:04:05.678Z", "0500-01-02 03:04:05.678Z"),
        ("date", 1700000000, ""),
        ("select", ["a", "b"], "b"),
        ("select", '["a","b"]', "b"),
        ("select", 1, "1"),
        ("select", {"a": 1}, ""),
        ("json", '{"a":1}', {"a": 1}),
        ("json", "null", None),
        ("json", "abc", "abc"),
        ("json", " {}", " {}"),
        ("json", "[1,2", "[1,2"),
        ("json", "01", "01"),
        ("json", "", ""),
        ("geoPoint", {"lon": 1.5}, {"lon": 1.5, "lat": 0}),
        ("geoPoint", {"lon": "3", "lat": "4"}, POINT),
        ("geoPoint", '{"lon":1,"lat":2}', {"lon": 1, "lat": 2}),
        ("geoPoint", [1, 2], POINT),
    ],
)
def test_what_is_stored(kind, sent, stored):
    """Input becomes a value of the field's type, and nothing is an error here."""
    assert field(kind).cast(sent) == stored


def test_objects_are_stored_with_sorted_keys():
    """Two objects that mean the same are stored the same."""
    assert list(field("json").cast({"b": 1, "a": 2})) == ["a", "b"]


def test_json_text_keeps_its_order():
    """What was sent as text is somebody's own spelling."""
    assert list(field("json").cast('{"b":1,"a":2}')) == ["b", "a"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (["a", "a", ""], ["a"]),
        ("a", ["a"]),
        ('["a","b"]', ["a", "b"]),
        (["a", None, 5], ["a", "5"]),
        (None, []),
        ({"a": 1}, []),
    ],
)
def test_what_a_list_stores(sent, stored):
    """A field of several values holds each once and no empty ones."""
    assert field("select", maxSelect=3).cast(sent) == stored


@pytest.mark.parametrize(
    ("kind", "options", "value", "code"),
    [
        ("text", {"min": 3}, "ab", "validation_min_text_constraint"),
        ("text", {"min": 3}, "äöü", None),
        ("text", {"min": 3}, "", None),
        ("text", {"max": 2}, "🦓🦓", None),
        ("text", {}, "a" * 5001, "validation_max_text_constraint"),
        ("text", {"pattern": "b"}, "abc", None),
        ("text", {"pattern": "^b"}, "abc", "validation_invalid_format"),
        ("text", {"required": True}, "", "validation_required"),
        ("editor", {"maxSize": 11}, "ü" * 6, "validation_content_size_limit"),
        ("number", {"min": 5}, 0, None),
        ("number", {"min": 5}, 4, "validation_min_number_constraint"),
        ("number", {"max": 5}, 6, "validation_max_number_constraint"),
        ("number", {"onlyInt": True}, 3.0, None),
        ("number", {"onlyInt": True}, 3.5, "validation_only_int_constraint"),
        ("number", {}, math.inf, "validation_not_a_number"),
        ("bool", {"required": True}, False, "validation_required"),
        ("email", {}, "a@localhost", "validation_is_email"),
        ("email", {}, '"q"@example.com', None),
        ("email", {}, "a@x..de", "validation_is_email"),
        ("email", {"exceptDomains": ["bad.example"]}, "a@bad.example", "validation_email_domain_not_allowed"),
        ("email", {"exceptDomains": ["bad.example"]}, "a@sub.bad.example", None),
        ("url", {}, "javascript:alert(1)", "validation_invalid_url"),
        ("url", {}, "example.com", None),
        ("url", {}, "mailto:x@y.z", None),
        ("url", {"onlyDomains": ["a.b"]}, "https://www.a.b", "validation_url_domain_not_allowed"),
        ("url", {"onlyDomains": ["a.b"]}, "https://a.b/x", None),
        ("date", {"min": "2022-01-01"}, "2022-01-01 00:00:00.000Z", None),
        ("date", {"min": "2022-01-01"}, "2021-12-31 23:59:59.999Z", "validation_min_greater_equal_than_required"),
        ("select", {}, "z", "validation_invalid_value"),
        ("select", {"maxSelect": 2}, ["a", "b", "c"], "validation_too_many_values"),
        ("relation", {"minSelect": 2, "maxSelect": 3}, ["x"], "validation_not_enough_values"),
        ("relation", {"minSelect": 2, "maxSelect": 3}, [], None),
        ("file", {"maxSelect": 2}, ["a", "b", "c"], "validation_too_many_files"),
        ("json", {"required": True}, {}, "validation_required"),
        ("json", {"required": True}, 0, None),
        ("json", {"maxSize": 12}, {"a": "1234567890"}, "validation_json_size_limit"),
        ("geoPoint", {}, {"lon": 1, "lat": 91}, "validation_invalid_latitude"),
        ("geoPoint", {"required": True}, POINT, "validation_required"),
    ],
)
def test_what_is_refused(kind, options, value, code):
    """A value is refused with a code that clients know; empty values only when one is required."""
    error = field(kind, **options).check(value)

    assert (error and error.code) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", None),
        ("ab", "validation_min_text_constraint"),
        ("abcdef", "validation_max_text_constraint"),
        ("ABC", "validation_invalid_format"),
        ("abc", None),
    ],
)
def test_a_plain_password_is_checked(text, code):
    """Passwords are judged before they are hashed."""
    error = field("password", min=3, max=5, pattern="^[a-z]+$").check_plain(text)

    assert (error and error.code) == code


@pytest.mark.parametrize(
    ("current", "sign", "operand", "after"),
    [
        (["a", "b"], "+", ["b", "c"], ["a", "b", "c"]),
        (["a", "b"], "<", "c", ["c", "a", "b"]),
        (["a", "b"], "-", ["a", "x"], ["b"]),
    ],
)
def test_lists_grow_and_shrink(current, sign, operand, after):
    """Modifiers append, prepend and remove, and keep each value once."""
    assert field("relation", maxSelect=9).modify(sign, current, operand) == after


@pytest.mark.parametrize(("sign", "after"), [("+", "new"), ("<", "old"), ("-", "old")])
def test_a_single_value_keeps_the_last(sign, after):
    """Appending to one value replaces it; prepending changes nothing."""
    assert field("select").modify(sign, "old", "new") == after


def test_numbers_count():
    """Numbers add and subtract, texts as numbers too."""
    number = field("number")

    assert number.modify("+", 10, "1.5") == 11.5
    assert number.modify("-", 10, 1) == 9


@pytest.mark.parametrize("kind", TYPES)
@given(sent=JSON)
def test_any_json_is_taken(kind, sent):
    """No input raises, a value cast twice is the same value, and checking it never raises."""
    one = field(kind)
    stored = one.cast(sent)

    assert one.cast(stored) == stored or kind in ("json", "geoPoint")
    one.check(stored)


@pytest.mark.parametrize("kind", TYPES)
@given(sent=JSON)
def test_the_database_gives_back_what_it_got(kind, sent):
    """A stored value survives its column, json as SQLite keeps it."""
    one = field(kind)
    stored = one.cast(sent)

    assert one.from_column(one.to_column(stored)) == stored


def test_text_that_is_too_deep_stays_text():
    """JSON in a text is read as deep as a body may be, so that nothing done with it later runs out of stack."""
    shallow, deep = "[" * 200 + "]" * 200, "[" * 900 + "1" + "]" * 900

    assert field("json").cast(shallow) != shallow
    assert field("json").cast(deep) == deep


def test_taking_many_texts_out_is_quick():
    """Taking a hundred thousand texts out of a list of a thousand does not compare each with each."""
    have, gone = [f"a{n}" for n in range(1000)], [f"b{n}" for n in range(100_000)]
    began = time.process_time()

    assert field("relation", maxSelect=1000).modify("-", have, gone) == have
    assert time.process_time() - began < 0.5
