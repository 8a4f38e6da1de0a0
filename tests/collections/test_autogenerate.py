"""Random text for patterns."""

import pytest
import re2

from undercroft.collections.fields.autogenerate import UnsupportedPatternError, generate


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z0-9]{15}",
        "[a-zA-Z0-9]{50}",
        "fixed",
        r"\d{3}x+(a|b)?.",
        "[^a-z]{5}",
        "(ab|cd){2,4}-[a-]{3}",
        r"^[\]a]{3}\.\n$",
        "(?:x|yy|)z*",
        "[a-z]{1000}",
        "",
    ],
)
def test_text_is_as_the_pattern_says(pattern):
    """What comes out matches the pattern it was made from, every time."""
    expected = re2.compile(f"^(?:{pattern})$")

    assert all(expected.search(generate(pattern)) for _ in range(50))


@pytest.mark.parametrize("pattern", ["(?<a>b)", r"\b", "a{3", "[z-a]", "[]", "(a", "a)", "*", "a{5,2}", "a\\"])
def test_what_cannot_be_read_backwards_is_refused(pattern):
    """Patterns beyond the small language say so."""
    with pytest.raises(UnsupportedPatternError):
        generate(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "((((((a{9}){9}){9}){9}){9}){9}",
        "(((((a{9}){9}){9}){9}){9}){9}",
        "(){1000000}",
        "(){1000000000}",
        "((){1000}){1000}",
        "(a?){0,1000000}",
        "a{" + "9" * 5000 + "}",
        "a{\u00b2}",
        "(" * 900 + "a" + ")" * 900,
    ],
)
def test_work_is_bounded(pattern):
    """Repeats of repeats end before they begin, also those of nothing."""
    with pytest.raises(UnsupportedPatternError):
        generate(pattern)


def test_two_texts_differ():
    """Fifteen characters of thirty-six are never the same twice."""
    assert len({generate("[a-z0-9]{15}") for _ in range(200)}) == 200
