"""The `fields` parameter."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.http.fields import BadFields, parse_fields, pick

RECORD = {
    "id": "a",
    "title": "The Long Orbit",
    "body": "<p>A <b>long</b> way.</p>",
    "count": 5,
    "meta": {"dim": {"w": 1, "h": 2}, "tags": ["x", "y"]},
    "expand": {"author": {"id": "b", "name": "Ada"}, "cats": [{"id": "c", "name": "One"}, {"id": "d", "name": "Two"}]},
}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ("title", {"title": "The Long Orbit"}),
        (" id , count ", {"id": "a", "count": 5}),
        ("id,,nope", {"id": "a"}),
        ("Id", {}),
        ("-id", {}),
        ("*", RECORD),
        ("meta.dim.w", {"meta": {"dim": {"w": 1}}}),
        ("meta.tags.0", {"meta": {"tags": ["x", "y"]}}),
        ("meta.*", {"meta": RECORD["meta"]}),
        ("title.x", {"title": "The Long Orbit"}),
        ("expand.author", {"expand": {"author": RECORD["expand"]["author"]}}),
        ("expand.author,expand.author.name", {"expand": {"author": RECORD["expand"]["author"]}}),
        ("expand.cats.name", {"expand": {"cats": [{"name": "One"}, {"name": "Two"}]}}),
        ("expand.nope.name", {"expand": {}}),
        ("title:excerpt(3)", {"title": "The"}),
        ("title:excerpt(5,true)", {"title": "The L..."}),
        ("body:excerpt(6, 1)", {"body": "A long..."}),
        ("count:excerpt(1)", {"count": 5}),
        ("expand.cats.*:excerpt(1)", {"expand": {"cats": [{"id": "c", "name": "O"}, {"id": "d", "name": "T"}]}}),
        ("(title)", {}),
        ("title;x", {}),
    ],
)
def test_pick(fields, kept):
    """What is asked for stays, in the order it had."""
    assert pick(RECORD, parse_fields(fields)) == kept


def test_star_is_what_no_other_entry_names():
    """`*` keeps the rest of a level; what is named beside it is as it says there."""
    assert pick({"a": "abc", "b": {"c": 1, "d": 2}}, parse_fields("*,b.c,a:excerpt(1)")) == {"a": "a", "b": {"c": 1}}


def test_page():
    """Of a page the items are picked, and the envelope stays."""
    page = {"items": [{"id": "a", "x": 1}], "page": 1, "perPage": 30, "totalItems": 1, "totalPages": 1}

    assert pick(page, parse_fields("id,totalItems")) == {**page, "items": [{"id": "a"}]}
    assert pick(page, parse_fields("items.id")) == {**page, "items": [{}]}


def test_array():
    """Of an array each element is picked."""
    assert pick([{"a": 1, "b": 2}, 5], parse_fields("a")) == [{"a": 1}, 5]


@pytest.mark.parametrize(
    "fields",
    [
        "a:excerpt",
        "a:excerpt()",
        "a:excerpt(0)",
        "a:excerpt(-4)",
        "a:excerpt(x)",
        "a:excerpt(1,2,3)",
        "a:excerpt(1,maybe)",
        "a:nope(1)",
        "a:",
        "a:excerpt(1",
        "a:excerpt(٣)",
        "a:excerpt(99999999999)",
        "x" * 20000,
    ],
)
def test_bad_modifiers(fields):
    """A modifier that is unknown or has wrong arguments is refused."""
    with pytest.raises(BadFields):
        parse_fields(fields)


@given(st.text("ab.,*:()excrpt13 \0", max_size=60))
def test_any_text_ends_well(fields):
    """Any text picks something or is refused."""
    try:
        pick(RECORD, parse_fields(fields))
    except BadFields:
        return


def test_long_texts_are_not_kept():
    """What a thousand callers ask for in ten thousand characters does not stay in memory."""
    tracemalloc.start()
    for number in range(100):
        parse_fields(".".join(f"{number}{'a' * 3}" for _ in range(1500)))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 2_000_000
