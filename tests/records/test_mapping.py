"""Which column goes to which field."""

from __future__ import annotations

import pytest

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.registry import load_field
from undercroft.records.mapping import BadMapping, make_mapping


def collection(name, *fields):
    return Collection(id=f"id_{name}", name=name, fields=tuple(load_field(field) for field in fields))


COUNTRIES = collection("countries", {"name": "iso", "type": "text"})
CITIES = collection(
    "cities",
    {"name": "id", "type": "text"},
    {"name": "longName", "type": "text"},
    {"name": "place", "type": "geoPoint"},
    {"name": "photo", "type": "file"},
    {"name": "country", "type": "relation", "collectionId": "id_countries"},
)
CATALOG = Catalog([COUNTRIES, CITIES])


def applied(row, *wishes):
    mapping = make_mapping(CATALOG, CITIES, wishes)
    return [(target.field.name, target.part, value) for target, value in mapping.apply(row)], dict(mapping.unused)


def test_by_name():
    """A column goes to the field of its name, whatever its case, blanks and underscores."""
    row = {"Long Name": "a", "country": "b", "area": 1, "photo": "x.png"}

    assert applied(row) == ([("longName", "", "a"), ("country", "", "b")], {"area": 1, "photo": 1})


def test_foreign_ids_are_no_ids():
    """Only `id` itself becomes the record id: `_id` and `ID` of elsewhere are asked for or left out."""
    assert applied({"_id": "x", "ID": "y", "id": "z"}) == ([("id", "", "z")], {"_id": 1, "ID": 1})


def test_by_wish():
    """A wish wins over the name, and the field it takes is taken once."""
    assert applied({"longName": "a", "title": "b"}, "title=longName") == ([("longName", "", "b")], {"longName": 1})


def test_into_objects_and_parts():
    """A source reaches into objects; a target may be a part of a point or a field of a related record."""
    row = {"where": {"lat": 1.5}, "code": "FR"}

    found, unused = applied(row, "where.lat=place.lat", "code=country.iso")

    assert found == [("place", "lat", 1.5), ("country", "iso", "FR")]
    assert unused == {}


def test_missing_source_is_left_out():
    """A wished column that a row lacks changes nothing."""
    assert applied({}, "title=longName") == ([], {})


@pytest.mark.parametrize(
    "wish", ["title", "=title", "a=", "a=nowhere", "a=photo", "a=longName.x", "a=country.x", "a=place.up"]
)
def test_impossible_wish(wish):
    """A wish for a field that is not there, or cannot be imported, is refused."""
    with pytest.raises(BadMapping):
        make_mapping(CATALOG, CITIES, [wish])
