"""Controls of forms: each field's limits said in HTML."""

from __future__ import annotations

import pytest

from undercroft.collections.fields.registry import load_field
from undercroft.pages.controls import Option, browser_pattern, can_fill_in, label_of, make_control


def control(kind, value=None, options=(), name="field", **limits):
    """The control of a field."""
    given = load_field({"type": kind, "name": name, "id": "f1", **limits})
    return make_control(given, given.zero if value is None else value, options)


@pytest.mark.parametrize(
    ("kind", "options", "look", "attributes"),
    [
        ("text", {}, "input", {"type": "text", "maxlength": 5000}),
        ("text", {"min": 2, "max": 80}, "input", {"type": "text", "minlength": 2, "maxlength": 80}),
        ("text", {"max": 4000}, "textarea", {"maxlength": 4000}),
        ("email", {"required": True}, "input", {"type": "email", "maxlength": 255, "required": True}),
        ("url", {}, "input", {"type": "url"}),
        ("number", {"min": 1, "onlyInt": True}, "input", {"type": "number", "step": 1, "min": 1}),
        ("number", {"max": 2.5}, "input", {"type": "number", "step": "any", "max": 2.5}),
        ("bool", {}, "checkbox", {}),
        ("editor", {}, "textarea", {}),
        ("json", {}, "textarea", {}),
        ("date", {"min": "2026-01-01 08:00:00.000Z"}, "input", {"type": "datetime-local", "min": "2026-01-01T08:00"}),
        ("select", {"values": ["a", "b"]}, "select", {}),
        ("select", {"values": ["a", "b"], "maxSelect": 2}, "checkboxes", {"data-max": 2}),
        (
            "password",
            {"min": 8},
            "input",
            {"type": "password", "autocomplete": "new-password", "minlength": 8, "maxlength": 71},
        ),
        ("relation", {"collectionId": "c"}, "input", {"type": "text"}),
        (
            "file",
            {"maxSelect": 3, "maxSize": 10, "mimeTypes": ["image/png", "application/pdf"]},
            "file",
            {"multiple": True, "accept": "image/png,application/pdf", "data-max-files": 3, "data-max-size": 10},
        ),
    ],
)
def test_fields_become_controls(kind, options, look, attributes):
    """What a field demands the browser demands too."""
    made = control(kind, **options)

    assert (made.look, dict(made.attributes)) == (look, attributes)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("text", "x", "x"),
        ("number", 0, ""),
        ("number", 3.0, "3"),
        ("number", 0.25, "0.25"),
        ("bool", True, "true"),
        ("date", "2026-05-06 07:08:09.000Z", "2026-05-06T07:08"),
        ("json", {"a": [1]}, '{"a":[1]}'),
        ("password", "hash", ""),
        ("file", "a.png", ""),
    ],
)
def test_values_stand_in_controls(kind, value, shown):
    """A stored value is shown as one would type it; secrets are not."""
    assert control(kind, value).value == shown


def test_choices_have_labels():
    """A select offers its values in words."""
    made = control("select", "newLead", values=["newLead", "closed"])

    assert list(made.options) == [Option("newLead", "New lead"), Option("closed", "Closed")]
    assert [made.is_chosen(option) for option in made.options] == [True, False]


def test_relations_offer_what_is_there():
    """A relation with known targets is a choice among them."""
    made = control("relation", "r1", [Option("r1", "First")], collectionId="c")

    assert made.look == "select"
    assert made.is_chosen(made.options[0])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("companyName", "Company name"),
        ("company_name", "Company name"),
        ("URL", "URL"),
        ("e", "E"),
        ("size2Max", "Size2 max"),
    ],
)
def test_labels_are_words(name, label):
    """Nobody has to read a field's name."""
    assert label_of(name) == label


@pytest.mark.parametrize(
    ("pattern", "browsers"),
    [
        ("", ""),
        ("^[a-z]+$", "(?:[a-z]+)"),
        ("[a-z]", ".*(?:[a-z]).*"),
        ("^a", "(?:a).*"),
        ("a|b$", ".*(?:a|b)"),
        (r"5\$", r".*(?:5\$).*"),
        ("(?i)^a$", ""),
        (r"^\pL+$", ""),
    ],
)
def test_patterns_for_browsers(pattern, browsers):
    """A browser's pattern is of the whole value; what it would read otherwise is not given to it."""
    assert browser_pattern(pattern) == browsers


@pytest.mark.parametrize("name", ["phone", "Tel"])
def test_phones_are_typed_on_a_keypad(name):
    """A telephone shows digits for a phone number, and fills it in."""
    made = control("text", name=name, max=40)

    assert (made.attributes["type"], made.attributes["autocomplete"]) == ("tel", "tel")


@pytest.mark.parametrize(
    ("field", "fits"),
    [
        ({"type": "text", "name": "title"}, True),
        ({"type": "text", "name": "id", "primaryKey": True}, False),
        ({"type": "text", "name": "key", "hidden": True}, False),
        ({"type": "autodate", "name": "created"}, False),
    ],
)
def test_what_the_server_sets_has_no_control(field, fits):
    """Ids, stamps and hidden values are not typed."""
    assert can_fill_in(load_field({"id": "f1", **field})) is fits
