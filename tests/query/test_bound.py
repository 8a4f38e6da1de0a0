"""Values for the placeholders of a filter."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from undercroft.query.errors import FilterError
from undercroft.query.lexer import lex, original_offset


@pytest.mark.parametrize(
    ("value", "shape", "literals"),
    [
        ("ada", "a = \x01t", ("ada",)),
        ("", "a = \x01e", ("",)),
        ("' || id != '", "a = \x01t", ("' || id != '",)),
        (7, "a = \x01n", (7.0,)),
        (True, "a =  true ", ()),
        (None, "a =  null ", ()),
        (date(2026, 11, 22), "a = \x01t", ("2026-11-22",)),
        (datetime(2026, 11, 22, 8, tzinfo=UTC), "a = \x01t", ("2026-11-22 08:00:00.000Z",)),
    ],
)
def test_value_becomes_a_literal(value, shape, literals):
    """What stands for a placeholder has the shape of a literal, and never that of code."""
    lexed = lex("a = {:value}", {"value": value})

    assert (lexed.shape, lexed.literals) == (shape, literals)


def test_literals_keep_their_order():
    """Literals of the text and values of placeholders are counted together, from left to right."""
    assert lex("a = 1 && b = {:b} && c = 'x' && d = {:b}", {"b": "y"}).literals == (1.0, "y", "x", "y")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a = {:nobody}", {}),
        ("a = 1", {"unused": 1}),
        ("a = '{:quoted}'", {"quoted": "x"}),
        ("a = {:x}", {"x": ["a", "list"]}),
        ("a = {:x}", {"x": float("nan")}),
        ("a = {:x}", {"x": "nul\0"}),
        ("a = {:x}", {"x": datetime(2026, 1, 1)}),  # noqa: DTZ001 - its zone is what is missing
    ],
)
def test_what_does_not_fit_is_refused(text, values):
    """A placeholder without a value, a value without a placeholder, and a value of no use are errors."""
    with pytest.raises(FilterError):
        lex(text, values)


def test_placeholders_are_for_callers_inside():
    """A filter that comes alone, as over HTTP, has no placeholders."""
    assert lex("a = {:b}").literals == ()
    assert "{:b}" in lex("a = {:b}").shape


def test_offsets_lead_back_over_placeholders():
    """An error's place in the shape is told as its place in the text."""
    text, values = "a = {:long_name} && b = {:flag} && nope = 1", {"long_name": "x", "flag": True}

    assert original_offset(text, lex(text, values).shape.index("nope"), values) == text.index("nope")
