"""Which options a field may have."""

import pytest

from undercroft.collections.fields.registry import TYPES, BadDefinition, dump_field, load_field


@pytest.mark.parametrize(
    ("definition", "errors"),
    [
        ({"type": "text", "min": 5, "max": 3}, {"max": "validation_min_greater_equal_than_required"}),
        ({"type": "text", "pattern": "("}, {"pattern": "validation_invalid_regex"}),
        ({"type": "text", "pattern": "(?<!a)b"}, {"pattern": "validation_invalid_regex"}),
        (
            {"type": "text", "autogeneratePattern": "[a-z]{3}", "min": 5},
            {"autogeneratePattern": "validation_invalid_autogenerate_pattern_value"},
        ),
        (
            {"type": "text", "autogeneratePattern": r"\b"},
            {"autogeneratePattern": "validation_invalid_autogenerate_pattern"},
        ),
        ({"type": "number", "min": 5, "max": 3}, {"max": "validation_min_number_constraint"}),
        ({"type": "number", "min": 1.5, "onlyInt": True}, {"min": "validation_only_int_constraint"}),
        (
            {"type": "email", "exceptDomains": ["a.b"], "onlyDomains": ["c.d"]},
            {"exceptDomains": "validation_empty", "onlyDomains": "validation_empty"},
        ),
        ({"type": "autodate"}, {"onCreate": "validation_required", "onUpdate": "validation_required"}),
        ({"type": "select"}, {"values": "validation_required"}),
        ({"type": "select", "values": ["x"], "maxSelect": 5}, {"maxSelect": "validation_max_less_equal_than_required"}),
        ({"type": "json", "maxSize": -1}, {"maxSize": "validation_min_greater_equal_than_required"}),
        (
            {"type": "password", "min": 80, "cost": 99},
            {"min": "validation_max_less_equal_than_required", "cost": "validation_max_less_equal_than_required"},
        ),
        ({"type": "date", "min": "2023-01-01", "max": "2022-01-01"}, {}),
    ],
)
def test_options_are_judged(definition, errors):
    """Every wrong option is named with its code."""
    found = load_field(definition).check_options()

    assert {name: error.code for name, error in found.items()} == errors


def test_lists_of_options_are_judged_by_place():
    """The third thumb is the one with an error."""
    found = load_field({"type": "file", "thumbs": ["10x10", "0x10t", "0x0", "nope"]}).check_options()

    assert {place: error.code for place, error in found["thumbs"].items()} == {
        "2": "validation_not_in_invalid",
        "3": "validation_match_invalid",
    }


@pytest.mark.parametrize(
    "definition",
    [{}, {"type": "nope"}, {"type": 5}, "text", {"type": "text", "min": "5"}, {"type": "select", "values": [1]}],
)
def test_a_wrong_shape_is_no_field(definition):
    """An unknown type, or an option of the wrong JSON type, is refused as a whole."""
    with pytest.raises(BadDefinition):
        load_field(definition)


@pytest.mark.parametrize("kind", TYPES)
def test_a_field_is_what_it_shows(kind):
    """The JSON of a field makes the same field, with its keys in alphabetical order."""
    shown = dump_field(load_field({"type": kind, "id": "f", "name": "f", "hidden": True}))

    assert list(shown) == sorted(shown)
    assert dump_field(load_field(shown)) == shown


def test_dates_in_options_are_put_in_form():
    """Bounds are kept as dates are; what is none is empty."""
    shown = dump_field(load_field({"type": "date", "min": "2022-01-02", "max": "nope"}))

    assert (shown["min"], shown["max"]) == ("2022-01-02 00:00:00.000Z", "")
