"""Bodies of a fixed shape."""

import msgspec
import pytest

from undercroft.http.body import Body
from undercroft.http.forms import BadForm, find_value, load_form


class Inner(msgspec.Struct, frozen=True):
    size: int = 0


class Form(msgspec.Struct, frozen=True, rename="camel"):
    identity: str = ""
    identity_field: str = ""
    count: int = 0
    inner: Inner = Inner()


def test_keys_in_any_letter_case():
    """Keys match whatever their letter case, inside too."""
    form = load_form(Body({"IDENTITY": "a", "identityfield": "b", "Inner": {"SIZE": 3}}), Form)

    assert form == Form("a", "b", 0, Inner(3))


def test_unknown_keys_and_nulls_are_ignored():
    """What the shape does not know, and null, change nothing."""
    assert load_form(Body({"nope": 1, "identity": None}), Form) == Form()


@pytest.mark.parametrize("data", [{"identity": 5}, {"identity": {"$ne": None}}, {"count": "5"}, {"inner": []}])
def test_wrong_types(data):
    """A value of another type is refused."""
    with pytest.raises(BadForm):
        load_form(Body(data), Form)


def test_form_values_are_what_the_key_holds():
    """In a form, digits are text for a text and a number for a number."""
    body = Body({"identity": 5, "count": 7}, {}, {"identity": ["5"], "count": ["7"]})

    assert load_form(body, Form) == Form(identity="5", count=7)


def test_find_value():
    """An exact key wins over one in another letter case."""
    assert find_value({"A": 1, "a": 2}, "a") == 2
    assert find_value({"A": 1}, "a") == 1
    assert find_value({}, "a") is None
