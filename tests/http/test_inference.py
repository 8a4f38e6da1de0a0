"""Form values become JSON values when they look exactly like them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.http.inference import infer, infer_all, render_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("5", 5),
        ("-1.5", -1.5),
        ("-0", 0),
        ("0.1", 0.1),
        ("100000000000000000000000", 10**23),
        ("1.50", "1.50"),
        ("007", "007"),
        ("1e3", "1e3"),
        ("0.0", "0.0"),
        ("+5", "+5"),
        (".5", ".5"),
        ("1.", "1."),
        ("--1", "--1"),
        ("1-2", "1-2"),
        ("-", "-"),
        ("True", "True"),
        ("null", "null"),
        ("9007199254740993", "9007199254740993"),
        ("٣", "٣"),
        ("", ""),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_infer(text, value):
    """Numbers and booleans are those that print as they came; the rest is text."""
    inferred = infer(text)

    assert (inferred, type(inferred)) == (value, type(value))


def test_several_values_are_an_array():
    """A name that is there several times is an array."""
    assert infer_all(["1", "a"]) == [1, "a"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_printing(number):
    """A double that is printed and inferred is the same double."""
    text = render_number(number)

    assert len(text) > 350 or math.isclose(float(infer(text)), number, rel_tol=0)


@given(st.text(max_size=50))
def test_any_text_is_a_value(text):
    """Nothing that is typed fails."""
    assert infer(text) is not None
