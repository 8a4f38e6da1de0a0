"""Conditional requests: may what the client has be used again?"""

from datetime import UTC, datetime

import pytest

from undercroft.http.conditions import Validators, judge, may_continue

HAS = Validators("abc", datetime(2026, 3, 1, 12, 0, 0, 600_000, UTC))
SAME = b"Sun, 01 Mar 2026 12:00:00 GMT"
BEFORE, AFTER = b"Sun, 01 Mar 2026 11:59:59 GMT", b"Sun, 01 Mar 2026 12:00:01 GMT"


def asked(**headers):
    known = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return known.get


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, "go on"),
        ({"if_none_match": b'"abc"'}, "not modified"),
        ({"if_none_match": b'W/"abc"'}, "not modified"),
        ({"if_none_match": b'"x", "abc"'}, "not modified"),
        ({"if_none_match": b"*"}, "not modified"),
        ({"if_none_match": b'"x"'}, "go on"),
        ({"if_none_match": b"abc"}, "go on"),
        ({"if_none_match": b'"x"', "if_modified_since": AFTER}, "go on"),
        ({"if_modified_since": SAME}, "not modified"),
        ({"if_modified_since": AFTER}, "not modified"),
        ({"if_modified_since": b"Sunday, 01-Mar-26 12:00:01 GMT"}, "not modified"),
        ({"if_modified_since": BEFORE}, "go on"),
        ({"if_modified_since": b"yesterday"}, "go on"),
        ({"if_modified_since": b"Sun, 99 Mar 2026 12:00:00 GMT"}, "go on"),
        ({"if_modified_since": b"Sun, 01 Mar 99999999999 12:00:00 GMT"}, "go on"),
        ({"if_modified_since": b"\xff" * 9000}, "go on"),
        ({"if_match": b'"abc"'}, "go on"),
        ({"if_match": b"*"}, "go on"),
        ({"if_match": b'"x"'}, "failed"),
        ({"if_match": b'W/"abc"'}, "failed"),
        ({"if_match": b'"abc"', "if_unmodified_since": BEFORE}, "go on"),
        ({"if_unmodified_since": BEFORE}, "failed"),
        ({"if_unmodified_since": SAME}, "go on"),
        ({"if_unmodified_since": b"nonsense"}, "go on"),
    ],
)
def test_verdict(headers, verdict):
    """Conditions are weighed in the order of RFC 9110, 13.2.2; what is no date is no condition."""
    assert judge(asked(**headers), HAS) == verdict


@pytest.mark.parametrize(
    ("told", "may"),
    [(None, True), (b'"abc"', True), (SAME, True), (b'W/"abc"', False), (b'"x"', False), (AFTER, False), (b"x", False)],
)
def test_continuing(told, may):
    """Ranges are sent only of the very version that the client has a part of."""
    assert may_continue(asked(if_range=told), HAS) is may


def test_without_tag():
    """A file without a tag is not the one that somebody has under the empty tag."""
    bare = Validators("", HAS.modified)

    assert judge(asked(if_none_match=b'""'), bare) == "go on"
    assert not may_continue(asked(if_range=b'""'), bare)
