"""Rows out of CSV, JSON and JSON Lines."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from undercroft.records import sources
from undercroft.records.sources import UnreadableFile, guess_format, read_csv, read_json, read_lines


def values(rows):
    return [row.values for row in rows]


def problems(rows):
    return [(row.place, row.problem, row.text) for row in rows if row.problem]


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("people.csv", b"name,age\n", "csv"),
        ("people.jsonl", b'{"a":1}\n', "jsonl"),
        ("people.ndjson", b'{"a":1}\n', "jsonl"),
        ("people.json", b' [{"a":1}]', "json"),
        ("people.json", b'{"a":1}\n{"a":2}\n', "jsonl"),
        ("people.json", b'{\n  "a": 1\n}\n', "json"),
        ("people", b"\xef\xbb\xbf[", "json"),
        ("people", b"name\n", "csv"),
        ("people.json", b"", "json"),
    ],
)
def test_format_is_found(name, start, kind):
    """The name decides, and where `.json` says little, how the file starts."""
    assert guess_format(name, start) == kind


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_csv_by_header(sign):
    """The first line names the columns and shows the delimiter."""
    text = f'a{sign}b\n1{sign}"x{sign}\ny"\n'

    assert values(read_csv(io.BytesIO(text.encode()))) == [{"a": "1", "b": f"x{sign}\ny"}]


def test_csv_of_a_spreadsheet():
    """A byte order mark, line ends of two characters and a last line without one are read."""
    rows = read_csv(io.BytesIO(b"\xef\xbb\xbfname,age\r\nZo\xc3\xab,5\r\nAl,6"))

    assert values(rows) == [{"name": "Zoë", "age": "5"}, {"name": "Al", "age": "6"}]


def test_csv_keeps_what_it_cannot_read():
    """Rows with too many cells, stray quotes or foreign bytes are told of, the others are read."""
    text = b'a,b\n1,2\n1,2,3\n"x"y,2\nok,ok\n\xff,2\n3,4\n"open,5\n'

    rows = list(read_csv(io.BytesIO(text)))

    assert values(row for row in rows if not row.problem) == [
        {"a": "1", "b": "2"},
        {"a": "ok", "b": "ok"},
        {"a": "3", "b": "4"},
    ]
    assert [(place, text) for place, _, text in problems(rows)] == [
        ("line 3", "1,2,3"),
        ("line 4", '"x"y,2\n'),
        ("line 6", "?,2"),
        ("line 8", '"open,5\n'),
    ]


@pytest.mark.parametrize("text", [b"", b"\n", b"a,b,a\n1,2,3\n"])
def test_csv_without_a_header_is_refused(text):
    """An empty file, and one that names a column twice, cannot be mapped."""
    with pytest.raises(UnreadableFile):
        list(read_csv(io.BytesIO(text)))


def test_json_lines():
    """Empty lines are passed over; a bad line is told of by its number."""
    rows = list(read_lines(io.BytesIO(b'{"a":1}\n\n{"a":}\n[1]\n{"a":2} x\n{"a":3}')))

    assert values(row for row in rows if not row.problem) == [{"a": 1}, {"a": 3}]
    assert [(place, text) for place, _, text in problems(rows)] == [
        ("line 3", '{"a":}'),
        ("line 4", "[1]"),
        ("line 5", '{"a":2} x'),
    ]


@pytest.mark.parametrize(
    "line",
    [b'{"a":NaN}', b'{"a":1e400}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":1,"a":2}', b'{"a":' + b"[" * 5000],
)
def test_json_that_would_lose_something_is_a_problem(line):
    """Numbers out of range, half characters and doubled keys are never stored as something else."""
    [row] = read_lines(io.BytesIO(line))

    assert row.problem


@pytest.mark.parametrize(
    "text", ['[{"a":1},{"a":"é"}]', ' [ {"a":1} ,\n{"a":"é"}\n]\n', '{"a":1}{"a":"é"}', '{\n"a":1}\n\n{"a":\n"é"}']
)
@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_json_whatever_the_blocks(text, block, monkeypatch):
    """An array, and objects behind each other, are read the same however the file is cut into blocks."""
    monkeypatch.setattr(sources, "_BLOCK", block)

    assert values(read_json(io.BytesIO(text.encode()))) == [{"a": 1}, {"a": "é"}]


def test_empty_array():
    """A file with no rows has no rows."""
    assert list(read_json(io.BytesIO(b" [ ] "))) == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('[{"a":1},{"a":2]', 1),
        ('[{"a":1},{"a":2}', 2),
        ('[{"a":1}] tail', 1),
        ('[{"a":1} {"a":2}]', 1),
        ('[{"a":1},5,{"a":2}]', 2),
        ("[" * 100_000, 0),
        ('{"a":1} tail', 1),
    ],
)
def test_broken_json_says_where(text, read):
    """What stands before the damage is read, and the damage is told of."""
    rows = list(read_json(io.BytesIO(text.encode())))

    assert len([row for row in rows if not row.problem]) == read
    assert len(problems(rows)) == 1


def test_a_large_array_is_not_read_whole():
    """Reading 40 MB of rows needs only a few MB of memory."""
    row = json.dumps({"text": "x" * 1000}).encode()
    stream = io.BufferedReader(Repeated(b"[" + row, b"," + row, b"]", 40_000))
    tracemalloc.start()

    count = sum(1 for _ in read_json(stream))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_001
    assert peak < 12 << 20


class Repeated(io.RawIOBase):
    """A long file that is never there as a whole."""

    def __init__(self, head, middle, tail, count):
        self.parts = iter([head, *[middle] * count, tail])
        self.left = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        self.left = self.left or next(self.parts, b"")
        size = min(len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


def test_a_row_is_never_a_single_value():
    """Extended JSON stands inside rows; a row that looks like it is a row all the same."""
    assert values(read_lines(io.BytesIO(b'{"$oid":"ab"}'))) == [{"$oid": "ab"}]
