"""Excerpts of texts that may be HTML."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.http.excerpt import excerpt


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", "plain"),
        (" two \n words ", "two words"),
        ("<p>A <b>long</b> way &amp; back.</p><p>Second</p>", "A long way & back. Second"),
        ("un<i>broken</i>", "unbroken"),
        ("one<br>two<hr/>three", "one two three"),
        ("<script>alert(1)</script><p>pie</p>", "pie"),
        ("<SCRIPT>'<script>'</SCRIPT >x", "x"),
        ("a<svg><svg></svg>inside</svg>b", "ab"),
        ("<img src=x>after<input>", "after"),
        ('<a title="a > b">link</a>', "link"),
        ("a <!-- > comment --> b", "a b"),
        ("a < b", "a < b"),
        ("<!doctype html><p>x", "x"),
        ("<textarea>never closed", ""),
        ("<p title='never closed", ""),
        ("&lt;script&gt;", "<script>"),
        ("", ""),
    ],
)
def test_text_of_html(text, found):
    """Tags go, blocks become spaces, dropped elements go with what is in them."""
    assert excerpt(text, 100) == found


def test_cut():
    """The cut counts characters and leaves no space at the end."""
    assert excerpt("día de 🦓 hoy", 8) == "día de 🦓"
    assert excerpt("ab cd", 3) == "ab"


def test_ellipsis_only_when_cut():
    """Dots tell that something is missing."""
    assert excerpt("abcd", 3, has_ellipsis=True) == "abc..."
    assert excerpt("abc", 3, has_ellipsis=True) == "abc"


@pytest.mark.parametrize("piece", ["<", "<!--", '<a "', "<form>", "<b>a", "&#", "<svg></svg>", "</p"])
def test_time_is_bounded(piece):
    """Hostile markup of megabytes takes no longer than a moment."""
    began = time.process_time()
    excerpt(piece * 500_000, 1_000_000)

    assert time.process_time() - began < 3


@given(st.text("<>/!-ab'\"= &;\n", max_size=100), st.integers(1, 50))
def test_any_text_has_an_excerpt(text, size):
    """An excerpt is never longer than asked."""
    assert len(excerpt(text, size)) <= size
