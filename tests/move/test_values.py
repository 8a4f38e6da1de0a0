"""Values on their way: which fit, and which are the same."""

from __future__ import annotations

import pytest

from undercroft.database.limits import Limits
from undercroft.database.move_values import Unfit, check_value, digest, shorten
from undercroft.database.moved import MovedColumn

TYPED = Limits("Typed", is_typed=True)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", b"\xff"),
        ("number", "abc"),
        ("number", 2**53 + 1),
        ("number", float("inf")),
        ("number", 10**400),
        ("bool", 2),
        ("bool", "yes"),
        ("date", "yesterday"),
        ("date", "2024-02-30 00:00:00.000Z"),
        ("date", "2024-01-01"),
        ("json", "{"),
        ("json", '"\\ud800"'),
        ("json", "[1e400]"),
        ("json", "[" * 5000 + "]" * 5000),
        ("json", b"{}"),
        ("list", '"a"'),
        ("list", "a"),
        ("geo", "[]"),
        ("whole", 1.5),
    ],
)
def test_what_does_not_fit(kind, value):
    """A typed database does not hold what is not of the column's kind."""
    with pytest.raises(Unfit):
        check_value(MovedColumn("x", kind), value, TYPED)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ""),
        ("text", "\x01\x7f😀"),
        ("text", "a\0b"),
        ("number", 2**53),
        ("number", 10**18),
        ("number", -0.0),
        ("number", 5e-324),
        ("bool", 1),
        ("date", ""),
        ("date", "0001-01-01 00:00:00.000Z"),
        ("json", None),
        ("json", "null"),
        ("json", 12.5),
        ("json", '"\\\\u0000"'),
        ("json", '{"a\\u0000": "\\u0000"}'),
        ("list", '["\\u0000"]'),
        ("json", "[1e308]"),
        ("list", "[]"),
        ("geo", '{"lon":0,"lat":0}'),
        ("whole", 2**62),
        ("text", None),
    ],
)
def test_what_fits(kind, value):
    """A typed database holds every value that the API stores."""
    check_value(MovedColumn("x", kind), value, TYPED)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("number", 1, 1.0),
        ("number", 0, -0.0),
        ("bool", 1, True),
        ("json", '{"a":1,"b":[2.50]}', '{ "b": [2.5], "a": 1.0 }'),
        ("json", 5, "5"),
        ("json", 1e20, "100000000000000000000"),
        ("json", "[1e20]", "[100000000000000000000]"),
        ("json", '"\\u00e9"', '"é"'),
        ("geo", '{"lon":1,"lat":2}', '{"lat": 2.0, "lon": 1.0}'),
        ("list", '["a","b"]', '["a", "b"]'),
        ("text", None, ""),
    ],
)
def test_what_is_the_same(kind, one, other):
    """Two spellings of one value have one digest."""
    columns = [MovedColumn("x", kind)]

    assert digest(columns, [one]) == digest(columns, [other])


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", "a", "A"),
        ("text", "é", "e\u0301"),
        ("number", 0.1, 0.1 + 2**-56),
        ("json", None, "null"),
        ("json", "0", "false"),
        ("json", '"1"', "1"),
        ("json", "[1,2]", "[2,1]"),
        ("json", '"x"', "x"),
        ("list", '["a","b"]', '["b","a"]'),
        ("date", "", "0001-01-01 00:00:00.000Z"),
    ],
)
def test_what_differs(kind, one, other):
    """Two values that the API tells apart have two digests."""
    columns = [MovedColumn("x", kind)]

    assert digest(columns, [one]) != digest(columns, [other])


def test_values_keep_to_their_columns():
    """What moves from one column to the next changes the digest."""
    columns = [MovedColumn("x", "text"), MovedColumn("y", "text")]

    assert digest(columns, ["ab", ""]) != digest(columns, ["a", "b"])


def test_values_are_shown_short():
    """A value is shown on one line of at most sixty characters."""
    assert shorten("a\0\n") == "a\\u0000\\u000a"
    assert len(shorten("x" * 500)) == 60
