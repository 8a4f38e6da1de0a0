"""Texts of a form as the body of a write."""

from __future__ import annotations

import pytest

from undercroft.collections.collection import Collection
from undercroft.collections.fields.registry import load_field
from undercroft.errors import Invalid
from undercroft.pages.typed import read_typed, typed_values


def read(kind, *typed, **options):
    """What a field's control holds after typing."""
    field = load_field({"type": kind, "name": "field", "id": "f1", **options})
    collection = Collection(id="c1", name="things", type="base", fields=(field,))
    return read_typed(collection, ["field"], {"field": typed} if typed else {})


@pytest.mark.parametrize(
    ("kind", "typed", "options", "value"),
    [
        ("text", ["a\r\nb"], {}, "a\nb"),
        ("text", [], {}, ""),
        ("number", ["2.5"], {}, 2.5),
        ("number", [" 7 "], {}, 7),
        ("number", [""], {}, 0),
        ("bool", ["true"], {}, True),
        ("bool", [], {}, False),
        ("date", ["2026-05-06T07:08"], {}, "2026-05-06T07:08:00"),
        ("date", ["2026-05-06"], {}, "2026-05-06"),
        ("date", [""], {}, ""),
        ("json", ['{"a": 1}'], {}, {"a": 1}),
        ("json", [""], {}, None),
        ("select", ["a"], {"values": ["a", "b"]}, "a"),
        ("select", ["a", "b"], {"values": ["a", "b"], "maxSelect": 2}, ["a", "b"]),
        ("select", [], {"values": ["a", "b"], "maxSelect": 2}, []),
        ("email", ["a@b.example"], {}, "a@b.example"),
    ],
)
def test_typed_texts_become_values(kind, typed, options, value):
    """What a visitor typed is what is written."""
    assert read(kind, *typed, **options) == {"field": value}


@pytest.mark.parametrize(
    ("kind", "typed", "code"),
    [
        ("number", "seven", "validation_not_a_number"),
        ("number", "inf", "validation_not_a_number"),
        ("number", "nan", "validation_not_a_number"),
        ("date", "tomorrow", "validation_not_a_date"),
        ("date", "2026-99-99T00:00", "validation_not_a_date"),
        ("json", "{", "validation_invalid_json"),
    ],
)
def test_what_cannot_be_read_is_an_error(kind, typed, code):
    """Nonsense does not silently become nothing."""
    with pytest.raises(Invalid) as refused:
        read(kind, typed)

    assert refused.value.data["field"].code == code


def test_files_are_marked_to_be_removed():
    """A ticked name goes; the others stay."""
    field = load_field({"type": "file", "name": "doc", "id": "f1", "maxSelect": 3})
    collection = Collection(id="c1", name="things", type="base", fields=(field,))

    assert read_typed(collection, ["doc"], {"doc-": ["a.pdf", ""]}) == {"doc-": ["a.pdf"]}
    assert read_typed(collection, ["doc"], {}) == {}


def test_empty_passwords_stay_as_they_are():
    """Who leaves the password empty keeps the old one."""
    assert read("password", "") == {}
    assert read("password", "secret") == {"field": "secret"}


def test_unnamed_fields_are_not_written():
    """What is not in the form cannot be slipped in."""
    field = load_field({"type": "text", "name": "role", "id": "f1"})
    collection = Collection(id="c1", name="things", type="base", fields=(field,))

    assert read_typed(collection, [], {"role": ["admin"]}) == {}


def test_typed_texts_are_shown_again():
    """What was typed stays in the form."""
    assert typed_values(["a", "b"], {"a": ["1", "2"], "c": ["3"]}) == {"a": ["1", "2"], "b": []}
