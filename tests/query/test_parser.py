"""Parsing filters: precedence, limits, and errors that say where."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.query.errors import FilterError, FilterTooLarge
from undercroft.query.parser import parse_filter
from undercroft.query.tree import And, CallNode, Comparison, NameNode, Or, comparisons, names


def tree(text):
    return parse_filter(text)[0]


def test_and_binds_tighter_than_or():
    """`a || b && c` is `a || (b && c)`."""
    node = tree("a = 1 || b = 2 && c = 3")

    assert isinstance(node, Or)
    assert isinstance(node.items[1], And)


def test_groups_override_precedence():
    """`(a || b) && c` is a conjunction."""
    assert isinstance(tree("(a = 1 || b = 2) && c = 3"), And)


@pytest.mark.parametrize("operator", ["=", "!=", "~", "!~", "<", "<=", ">", ">="])
def test_every_operator_has_an_any_form(operator):
    """`?` before an operator asks for any related row."""
    node = tree(f"a ?{operator} 1")

    assert isinstance(node, Comparison)
    assert (node.operator, node.is_any) == (operator, True)


def test_names_have_paths_and_modifiers():
    """`author.name:lower` is a path with a modifier."""
    node = tree("author.name:lower = 'x'")

    assert isinstance(node, Comparison)
    assert node.left == NameNode(("author", "name"), "lower", 0)


def test_collection_aliases_are_part_of_the_name():
    """`@collection.a:b.c:lower` has an alias and a modifier."""
    (name,) = names(tree("@collection.a:b.c:lower = 1"))

    assert (name.path, name.modifier) == (("@collection", "a:b", "c"), "lower")


def test_functions_take_operands():
    """Functions take names and literals, commented if you like."""
    node = tree("geoDistance(a.lon, a.lat, 1, 2 // here\n) < 5")

    assert isinstance(node, Comparison)
    assert isinstance(node.left, CallNode)
    assert len(node.left.arguments) == 4


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("   ", 4),
        ("title", 6),
        ("title = ", 9),
        ("title == 'a'", 8),
        ("(title = 'a'", 1),
        ("n = 1)", 6),
        ("title = 'x' OR 1=1", 13),
        ("title = 'x'; DELETE", 12),
        ("a = 1 && ", 10),
        ("&& ||", 1),
        ("a. = 1", 1),
        ("@ = 1", 1),
        ("price = 1e6", 9),
        ("f((a)) = 1", 3),
    ],
)
def test_errors_say_where(text, position):
    """A filter error names the place in the text it was met at, counted from 1."""
    with pytest.raises(FilterError) as caught:
        parse_filter(text)

    assert f"position {position}" in caught.value.message()


def test_depth_is_bounded():
    """Ten thousand brackets are refused at once."""
    began = time.process_time()
    with pytest.raises(FilterTooLarge):
        parse_filter("(" * 10_000 + "a = 1" + ")" * 10_000)

    assert time.process_time() - began < 1


def test_comparisons_are_bounded():
    """200 comparisons are fine, 201 are not."""
    assert len(list(comparisons(tree(" || ".join(["a = 1"] * 200))))) == 200
    with pytest.raises(FilterTooLarge):
        parse_filter(" || ".join(["a = 1"] * 201))


def test_calls_are_nested_at_most_three_deep():
    """Functions in functions end somewhere."""
    assert tree("f(f(f(1))) = 1")
    with pytest.raises(FilterTooLarge):
        parse_filter("f(f(f(f(1)))) = 1")


PIECES = st.sampled_from(
    [
        "a",
        "a.b",
        "a:each",
        "'x'",
        "''",
        "1",
        "=",
        "?=",
        "!~",
        "&&",
        "||",
        "(",
        ")",
        ",",
        "f(",
        " ",
        "//",
        "@request.auth.id",
        "\n",
        "-1",
        "\\",
    ]
)


@given(st.lists(PIECES, max_size=40))
def test_any_mix_of_pieces_is_parsed_or_refused(pieces):
    """Well-formed or not, a text gives a tree or a filter error."""
    with contextlib.suppress(FilterError):
        node, _ = parse_filter("".join(pieces))
        assert list(comparisons(node))
