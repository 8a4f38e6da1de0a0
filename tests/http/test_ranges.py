"""The Range header: what is asked for, at a cost that no header can drive up."""

import pytest

from undercroft.http.ranges import BadRange, RangeNotThere, Span, parse_range


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-3", [(0, 4)]),
        ("bytes=4-", [(4, 10)]),
        ("bytes=-4", [(6, 10)]),
        ("bytes=-99", [(0, 10)]),
        ("bytes=9-9", [(9, 10)]),
        ("bytes=5-99", [(5, 10)]),
        ("bytes=0-9", [(0, 10)]),
        ("BYTES=0-3", [(0, 4)]),
        ("bytes = 0-3", [(0, 4)]),
        ("bytes=, 0-0 , 2-3 ,", [(0, 1), (2, 4)]),
        ("bytes=7-8,0-1", [(7, 9), (0, 2)]),
        ("bytes=0-1,50-60", [(0, 2)]),
        ("bytes=0-" + "9" * 500, [(0, 10)]),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(8)), [(n, n + 1) for n in range(8)]),
    ],
)
def test_parts(header, spans):
    """Ranges are cut to a file of ten bytes; those that lie outside are left out."""
    assert [(span.start, span.stop) for span in parse_range(header, 10)] == spans


@pytest.mark.parametrize(
    "header",
    [
        "items=0-3",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(9)),
        "bytes=" + "0-0," * 10_000,
        "bytes=0-9,0-0",
        "bytes=0-,0-,0-",
        "bytes=" + "1" * 100_000 + "-",
    ],
)
def test_whole(header):
    """An unknown unit, too many ranges, or more than the whole get the whole."""
    assert list(parse_range(header, 10)) == []


@pytest.mark.parametrize(
    "header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99-,50-60", "bytes=" + "9" * 99 + "-"]
)
def test_not_there(header):
    """Ranges that all lie outside cannot be satisfied."""
    with pytest.raises(RangeNotThere):
        parse_range(header, 10)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=5-6"])
def test_empty_file(header):
    """A file without bytes has no parts: it comes whole."""
    assert list(parse_range(header, 0)) == []


@pytest.mark.parametrize(
    "header",
    [
        *("x", "bytes", "bytes=", "bytes=-", "bytes=x", "bytes=,", "bytes=3-1", "bytes=0-1,3-1", "bytes=1-2-3"),
        *("bytes=+0-1", "bytes=0 - 1", "bytes=0x1-2", "bytes=--1", "bytes=1.5-2", "bytes=٠-٣", "bytes=０-３"),
    ],
)
def test_nonsense(header):
    """What is no range is told from one that is not there; digits are ASCII."""
    with pytest.raises(BadRange) as caught:
        parse_range(header, 10)

    assert not isinstance(caught.value, RangeNotThere)


def test_told():
    """Content-Range counts to the last byte, not past it."""
    assert Span(0, 4).told(10) == "bytes 0-3/10"
