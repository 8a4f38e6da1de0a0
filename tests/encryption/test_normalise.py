"""Which values are the same to whoever looks one up."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from undercroft.encryption.normalise import normalise

WAYS = ["exact", "email", "casefold", "digits"]
NOBODYS = ("Cn", "Co", "Cs")  # not assigned, for private use, halves: nothing maps from or to them
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
EMAILS = st.builds("{}@{}".format, ANY_TEXT, ANY_TEXT)


@pytest.mark.parametrize(
    ("how", "texts"),
    [
        ("email", ["ada@example.com", " Ada@Example.COM\n", "ADA@EXAMPLE.com"]),
        (
            "email",
            ["ada@bücher.example", "Ada@BÜCHER.example", "ada@xn--bcher-kva.example", "ada@bu\u0308cher。example"],
        ),
        ("email", ["ada@faß.example", "ADA@FAẞ.example"]),
        ("email", ["jürgen@example.com", "JU\u0308RGEN@EXAMPLE.COM"]),
        ("casefold", ["straße", "STRASSE", "Straße"]),
        ("casefold", ["ﬁlm", "Film", "ＦＩＬＭ"]),
        ("casefold", ["Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"]),
        ("digits", ["+49 (30) 1234-5", "4930 12345", "٤٩٣٠١٢٣٤٥", "４９30/123.45"]),
        ("digits", ["DE89 3704 0044 0532 0130 00", "de89370400440532013000"]),
    ],
)
def test_the_same(how, texts):
    """Spellings of one thing have one normal form."""
    assert len({normalise(how, text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("how", "one", "other"),
    [
        ("exact", "Ada", "ada"),
        ("exact", "ada", "ada "),
        ("email", "ada@faß.example", "ada@fass.example"),
        ("email", "a.da@example.com", "ada@example.com"),
        ("email", "ada+x@example.com", "ada@example.com"),
        ("casefold", "ada", " ada"),
        ("casefold", "müller", "muller"),
        ("digits", "0049301", "+49301"),
        ("digits", "030 1", "30 1"),
        ("digits", "DE89", "89"),
    ],
)
def test_not_the_same(how, one, other):
    """What could be two things has two normal forms."""
    assert normalise(how, one) != normalise(how, other)


@pytest.mark.parametrize("how", WAYS)
@given(ANY_TEXT | EMAILS)
@example("a@b＠c")
@example("\u1100-\u1161")
@example("a@.\u0130")
@example("A\u03a3@\u03a3")
def test_nothing_changes_twice(how, text):
    """A normal form is its own normal form; every text has one."""
    once = normalise(how, text)

    assert normalise(how, once) == once


@pytest.mark.parametrize("how", WAYS[1:])
def test_every_character(how):
    """That is so for every character there is."""
    marks = (mark for mark in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(mark) not in NOBODYS)
    changing = [mark for mark in marks if (once := normalise(how, mark)) != mark and normalise(how, once) != once]

    assert changing == []


@given(ANY_TEXT)
def test_case_never_matters(text):
    """Upper, lower and folded case of a text are the same in `casefold`, where they can be told from each other."""
    assert normalise("casefold", text.casefold()) == normalise("casefold", text)


@given(ANY_TEXT)
def test_digits_are_letters_and_digits(text):
    """Nothing else is left in `digits`; of all the digits of the world, the ASCII ones."""
    normal = normalise("digits", text)

    assert all(mark.isalnum() for mark in normal)
    assert not any(mark.isdecimal() and not mark.isascii() for mark in normal)


@pytest.mark.parametrize("text", ["ada@ü..ß", f"ada@{'ß' * 70}.example", "ada@a\u200db.example", "ä"])
def test_no_address(text):
    """What is no address, or has a domain that cannot be, has a normal form all the same: itself in lower case."""
    assert normalise("email", f" {text.replace('ada', 'ADA')}") == text
