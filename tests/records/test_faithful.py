"""What would be lost in storing is noticed."""

from __future__ import annotations

import pytest

from undercroft.collections.fields.registry import load_field
from undercroft.records.faithful import loss


def field(kind, **options):
    return load_field({"name": "it", "type": kind, **options})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", ["5", "-1.5", "1e3", 5, 0, "0", "0.0", "", None, True, 2**53, str(2**53)]),
        ("bool", ["true", "1", True, 1, "false", "no", "0", "off", 0, False, "", None]),
        ("date", ["2024-01-01", "2024-01-01T10:00:00Z", ""]),
        ("autodate", ["2024-01-01"]),
        ("text", ["x", 5, True, 1.5]),
        ("geoPoint", [{"lon": 1, "lat": 2}, '{"lon":1,"lat":2}', {"lon": 0, "lat": 0}, '{"lat":0, "lon":0}']),
        ("json", ["x", {"a": 1}, [], None]),
        ("select", ["a", ["a"], []]),
    ],
)
def test_kept(kind, values):
    """A value that the field can hold, and one that says it is empty, is no loss."""
    assert [value for value in values if loss(field(kind), value)] == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", ["five", "1,000", "0x10", [], {"a": 1}, 2**53 + 1, str(2**53 + 1)]),
        ("bool", ["yes", "maybe"]),
        ("date", ["yesterday", "01/02/2024", 1700000000]),
        ("autodate", ["soon"]),
        ("text", [["a"], {"a": 1}]),
        ("geoPoint", ["1.5 2.5", {"lon": "1", "lat": "2"}, [1, 2]]),
        ("select", [["a", "b"]]),
    ],
)
def test_lost(kind, values):
    """A value that would become empty, or another one, is told of."""
    assert [value for value in values if not loss(field(kind), value)] == []
