"""Whatever a file holds, reading it ends, and nothing in it is passed over in silence."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from undercroft.records.formulas import guard, unguard
from undercroft.records.sources import UnreadableFile, guess_format, read_rows
from undercroft.records.targets import TARGETS

PIECES = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\n",
        b"\r",
        b"a",
        b"1",
        b"\\",
        b"\xff",
        b"\x00",
        b" ",
        b'{"a":1}',
        b"null",
    ]
)
FILES = st.lists(PIECES, max_size=60).map(b"".join) | st.binary(max_size=200)
KEYS = st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"]), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=5)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(FILES, st.sampled_from(["csv", "json", "jsonl"]))
def test_any_bytes(content, kind):
    """Any bytes are read to their end, or refused as a whole with a reason."""
    try:
        rows = list(read_rows(io.BytesIO(content), kind))
    except UnreadableFile:
        return
    assert all(row.problem or isinstance(row.values, dict) for row in rows)
    assert rows or not content.strip(b" \t\r\n[],") or kind == "csv"


@given(st.binary(max_size=50))
def test_any_start(content):
    """Some format is found for any start of a file."""
    assert guess_format("file", content) in {"csv", "json", "jsonl"}


@given(OBJECTS, st.booleans(), st.integers(0, 2))
def test_json_of_others(objects, is_spaced, layout):
    """What Python writes as JSON is read back, as an array, one a line, or one behind the other."""
    parts = [json.dumps(value, indent=1 if is_spaced and layout != 1 else None) for value in objects]
    text = [f"[{', '.join(parts)}]", "\n".join(parts), " ".join(parts)][layout]
    if not text:
        return
    rows = list(read_rows(io.BytesIO(text.encode()), "jsonl" if layout == 1 else "json"))

    assert [row.problem for row in rows] == [""] * len(objects)
    assert [row.values for row in rows] == objects


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=6), st.sampled_from(",;\t"))
def test_csv_of_others(cells, sign):
    """What Python writes as CSV is read back, but for formulas that were disarmed."""
    text = io.StringIO()
    csv.writer(text, delimiter=sign).writerows([["a", "b"], *cells])

    rows = list(read_rows(io.BytesIO(text.getvalue().encode()), "csv"))

    assert [list(row.values.values()) for row in rows] == [[unguard(cell) for cell in row] for row in cells]


@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": st.lists(TEXT, max_size=2)}), max_size=5))
def test_csv_of_ours(records):
    """What is exported as CSV is read back as it was."""
    target = TARGETS["csv"](["a", "b"])
    content = target.head() + target.body(records) + target.tail()

    rows = list(read_rows(io.BytesIO(content), "csv"))

    assert [(row.values["a"], json.loads(row.values["b"])) for row in rows] == [(one["a"], one["b"]) for one in records]


@given(st.text())
def test_guard(text):
    """A guarded text starts with nothing a spreadsheet runs, and is the same again unguarded."""
    assert guard(text)[:1] not in set("=+-@\t\r")
    assert unguard(guard(text)) == text
