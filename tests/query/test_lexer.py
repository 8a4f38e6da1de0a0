"""Taking a filter's literals out, and finding the way back to its text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.query.errors import FilterError
from undercroft.query.lexer import lex, original_offset, tokens


@pytest.mark.parametrize(
    ("text", "shape", "literals"),
    [
        ("a = 'x'", "a = \x01t", ("x",)),
        ('a = "x"', "a = \x01t", ("x",)),
        ("a=''", "a=\x01e", ("",)),
        ("a>-5.25", "a>\x01n", (-5.25,)),
        ("meta.tags.0 = 1", "meta.tags.0 = \x01n", (1.0,)),
        ("f1 = 'it\\'s'", "f1 = \x01t", ("it's",)),
        ("a = 'b\\n'", "a = \x01t", ("b\\n",)),
        ("a = 1 // why", "a = \x01n  ", (1.0,)),
        ("a = '// no comment'", "a = \x01t", ("// no comment",)),
    ],
)
def test_literals_leave_the_shape(text, shape, literals):
    """Filters that differ in their literals alone have one shape."""
    lexed = lex(text)

    assert (lexed.shape, lexed.literals) == (shape, literals)


@pytest.mark.parametrize("text", ["a = 'open", 'a = "open', "a = [1]", "`a` = 1", "a = 1; b", "a\x00 = 1"])
def test_what_is_no_token_is_refused(text):
    """Nothing that the language does not know gets past the lexer."""
    with pytest.raises(FilterError):
        tokens(lex(text).shape)


def test_marks_cannot_be_forged():
    """The characters that stand for literals in a shape are refused in a filter."""
    with pytest.raises(FilterError):
        lex("a = \x01t")


def test_offsets_lead_back_to_the_text():
    """An error's place in the shape is told as its place in the filter."""
    text = "title = 'a long literal' && nope = 12345 || other = 'x'"
    shape = lex(text).shape

    for word in ("title", "&&", "nope", "||", "other"):
        assert original_offset(text, shape.index(word)) == text.index(word)


@given(st.text(max_size=200))
def test_any_text_is_lexed_or_refused(text):
    """No text makes the lexer fail in another way."""
    with contextlib.suppress(FilterError):
        assert tokens(lex(text).shape)[-1].kind == "end"


@given(st.text(st.characters(exclude_characters="'\\\x01\x00"), min_size=1, max_size=50))
def test_every_text_can_be_a_literal(text):
    """A quoted text comes out as it went in, whatever it holds."""
    assert lex(f"a = '{text}'").literals == (text,)
