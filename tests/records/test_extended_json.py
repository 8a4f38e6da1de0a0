"""MongoDB's extended JSON to plain values."""

from __future__ import annotations

import pytest

from undercroft.records.extended_json import BadExtendedJson, plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$oid": "5d505646cf6d4fe581014ab2"}, "5d505646cf6d4fe581014ab2"),
        ({"$date": "2019-08-11T17:54:14.692Z"}, "2019-08-11 17:54:14.692Z"),
        ({"$date": "2019-08-11T19:54:14.692+0200"}, "2019-08-11 17:54:14.692Z"),
        ({"$date": {"$numberLong": "1565546054692"}}, "2019-08-11 17:54:14.692Z"),
        ({"$date": 1565546054692}, "2019-08-11 17:54:14.692Z"),
        ({"$date": {"$numberLong": "-1"}}, "1969-12-31 23:59:59.999Z"),
        ({"$numberInt": "42"}, 42),
        ({"$numberLong": "-9223372036854775808"}, -9223372036854775808),
        ({"$numberDouble": "1.5"}, 1.5),
        ({"$numberDouble": "-Infinity"}, "-Infinity"),
        ({"$numberDecimal": "0.10000000000000000000001"}, "0.10000000000000000000001"),
        ({"$binary": {"base64": "AQID", "subType": "00"}}, "AQID"),
        ({"$binary": {"base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "04"}}, "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
        ({"$binary": "AQID", "$type": "00"}, "AQID"),
        ({"$uuid": "73ffd26444b34c6990e8e7d1dfc035d4"}, "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
        ({"$regularExpression": {"pattern": "^a", "options": "i"}}, "/^a/i"),
        ({"$regex": "^a", "$options": "i"}, "/^a/i"),
        ({"$timestamp": {"t": 1565546054, "i": 1}}, "2019-08-11 17:54:14.000Z"),
        ({"$symbol": "s"}, "s"),
        ({"$code": "f()", "$scope": {}}, "f()"),
        ({"$undefined": True}, None),
        ({"$ref": "cats", "$id": {"$oid": "5d505646cf6d4fe581014ab2"}}, "5d505646cf6d4fe581014ab2"),
    ],
)
def test_each_type(value, expected):
    """Every type of both versions becomes a plain value."""
    assert plain(value) == expected


def test_inside_lists_and_objects():
    """Nested values are replaced where they stand."""
    value = {"tags": [{"$oid": "ab"}, "x"], "meta": {"at": {"$date": 0}}}

    assert plain(value) == {"tags": ["ab", "x"], "meta": {"at": "1970-01-01 00:00:00.000Z"}}


def test_unknown_dollar_keys_stay():
    """What is not extended JSON is kept as it is."""
    assert plain({"$price": 5, "a": {"$minKey": 1}}) == {"$price": 5, "a": {"$minKey": 1}}


@pytest.mark.parametrize(
    "value",
    [
        {"$date": "yesterday"},
        {"$date": {}},
        {"$date": {"$numberLong": "9" * 30}},
        {"$oid": "xyz"},
        {"$oid": 5},
        {"$numberInt": "one"},
        {"$numberDecimal": "one"},
        {"$binary": {"base64": "?", "subType": "00"}},
        {"$timestamp": 5},
        {"$code": None},
        {"$regex": 5},
    ],
)
def test_malformed_is_refused(value):
    """A value that says it is extended JSON and is not is never stored as something else."""
    with pytest.raises(BadExtendedJson):
        plain(value)
