"""Rows out of files: CSV, JSON and JSON Lines, read as a stream.

Nothing is ever left out in silence: what cannot be read becomes a row with a
problem and the text it was made of, and reading goes on behind it where that is
possible. Memory holds one row and one block of the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Literal

import msgspec

from undercroft.errors import BadRequest
from undercroft.http.json_text import BadBody, parse_object
from undercroft.records.extended_json import BadExtendedJson, plain
from undercroft.records.formulas import unguard

Format = Literal["csv", "json", "jsonl"]
_BLOCK: Final = 1 << 20
_LONGEST: Final = 64 << 20  # one value; more is a file that lost its quotes or brackets
_BREAK_MARGIN: Final = 16  # a literal cut off by the end of a block fails this near to it
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class UnreadableFile(BadRequest):
    """The file as a whole cannot be read: empty, or no rows where there should be."""

    code = "unreadable_file"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: its values, or a problem and the text that has it."""

    place: str
    values: dict[str, Any]
    problem: str = ""
    text: str = ""


def read_rows(stream: BinaryIO, kind: Format, delimiter: str = "") -> Iterator[SourceRow]:
    """Every row of a file. Raises `UnreadableFile` when it has none at all that could be read."""
    if kind == "csv":
        return read_csv(stream, delimiter)
    return read_lines(stream) if kind == "jsonl" else read_json(stream)


def guess_format(name: str, start: bytes) -> Format:
    """The format by the file's name, and by how it starts where the name says nothing.

    Files called `.json` often hold one object a line: MongoDB's export writes them so.
    """
    suffix = name.rpartition(".")[2].lower()
    if suffix in {"csv", "tsv", "txt"}:
        return "csv"
    if suffix in {"jsonl", "ndjson"}:
        return "jsonl"
    text = start.lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if text[:1] not in b"[{" or not text:
        return "json" if suffix == "json" else "csv"
    first, line_end, _ = text.partition(b"\n")
    return "jsonl" if text[:1] == b"{" and line_end and _is_object(first) else "json"


def read_csv(stream: BinaryIO, delimiter: str = "") -> Iterator[SourceRow]:
    """Rows of a CSV file whose first line names the columns; the delimiter is found there, if not given."""
    csv.field_size_limit(_LONGEST)
    lines = _Lines(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    first = next(lines, "")
    if not first.strip():
        raise UnreadableFile("The file is empty; its first line should name the columns.")
    lines.put_back(first)
    reader = csv.reader(lines, strict=True, delimiter=delimiter or _find_delimiter(first))
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise UnreadableFile(f"The first line does not name the columns: {error}.") from None
    _check_header(header)
    return _csv_rows(reader, header, lines)


def _csv_rows(reader: Any, header: list[str], lines: _Lines) -> Iterator[SourceRow]:
    while True:
        place = f"line {reader.line_num + 1}"
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            lines.text.detach()  # or it would close the file, which is its opener's
            return
        except csv.Error as error:
            yield SourceRow(place, {}, f"Not valid CSV: {error}.", _printable("".join(lines.taken)))
            continue
        if cells:
            yield _csv_row(place, header, cells)


def _csv_row(place: str, header: list[str], cells: list[str]) -> SourceRow:
    values = dict(zip(header, map(unguard, cells), strict=False))
    text = ",".join(cells)
    if len(cells) != len(header):
        return SourceRow(place, {}, f"{len(cells)} values for {len(header)} columns.", _printable(text))
    if not text.isascii() and _printable(text) != text:
        return SourceRow(place, {}, "Not valid UTF-8.", _printable(text))
    return SourceRow(place, values)


def _check_header(header: list[str]) -> None:
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise UnreadableFile(f"The first line names a column twice: {', '.join(sorted(twice))}.")


def _find_delimiter(line: str) -> str:
    return max(",;\t|", key=line.count)


class _Lines:
    """The lines of a text, remembering which were taken since `taken` was cleared."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.taken: list[str] = []
        self._waiting: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self.text)
        self.taken.append(line)
        return line

    def put_back(self, line: str) -> None:
        self._waiting.append(line)


def read_lines(stream: BinaryIO) -> Iterator[SourceRow]:
    """One JSON object a line; empty lines are passed over."""
    for number, line in enumerate(stream, 1):
        text = line.removeprefix(codecs.BOM_UTF8).strip() if number == 1 else line.strip()
        if text:
            yield _json_row(f"line {number}", text)


def read_json(stream: BinaryIO) -> Iterator[SourceRow]:
    """The objects of one JSON array, or objects one behind the other."""
    text = _Text(stream)
    in_array = text.take("[")
    number = 0
    while not (in_array and text.take("]")) and not text.at_end():
        number += 1
        place = f"item {number}"
        try:
            value = text.take_value()
        except ValueError as error:
            yield SourceRow(
                place, {}, f"The file cannot be read from here on: {error}.", _printable(text.rest()[:1000])
            )
            return
        yield _json_row(place, value.encode(errors="surrogateescape"))
        if in_array and not text.take(",") and not text.next_is("]"):
            yield SourceRow(f"behind {place}", {}, "The array does not end.", _printable(text.rest()[:1000]))
            return
    if not number and not in_array:
        raise UnreadableFile("The file is empty.")
    if in_array and not text.at_end():
        yield SourceRow("behind the array", {}, "There is text after the end.", _printable(text.rest()[:1000]))


class _Text:
    """A text read block by block, taken from the front."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._scan = json.JSONDecoder().raw_decode
        self._buffer = ""
        self._at = 0
        self._is_whole = False

    def at_end(self) -> bool:
        return not self._peek()

    def next_is(self, sign: str) -> bool:
        return self._peek() == sign

    def take(self, sign: str) -> bool:
        if not self.next_is(sign):
            return False
        self._at += 1
        return True

    def rest(self) -> str:
        return self._buffer[self._at :]

    def take_value(self) -> str:
        """The text of the next JSON value. Raises `ValueError` when there is none."""
        self._peek()
        size = _BLOCK
        while True:
            try:
                _, end = self._scan(self._buffer, self._at)
                # a bare number or word at the end of a block may go on in the next
                if end < len(self._buffer) or self._is_whole:
                    break
            except RecursionError:
                raise ValueError("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                self._check_cut(error)
            self._read(size)
            size *= 2
        value = self._buffer[self._at : end]
        self._at = end
        return value

    def _check_cut(self, error: json.JSONDecodeError) -> None:
        """Raise when the error is in the file and not made by the end of the block."""
        is_near_end = error.pos >= len(self._buffer) - _BREAK_MARGIN or "Unterminated" in error.msg
        if self._is_whole or not is_near_end:
            raise ValueError(error.msg)
        if len(self._buffer) - self._at > _LONGEST:
            raise ValueError(f"a value is longer than {_LONGEST >> 20} MB")

    def _peek(self) -> str:
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer) or self._is_whole:
                return self._buffer[self._at : self._at + 1]
            self._read(_BLOCK)

    def _read(self, size: int) -> None:
        block = self._stream.read(size)
        self._is_whole = not block
        self._buffer = self._buffer[self._at :] + self._decoder.decode(block, final=not block)
        self._at = 0


def _json_row(place: str, text: bytes) -> SourceRow:
    try:
        msgspec.json.decode(text)
        values = parse_object(text)
        is_extended = b'"$' in text
        return SourceRow(place, {name: plain(value) for name, value in values.items()} if is_extended else values)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = f"Not valid JSON: {error}."
    except BadBody:
        problem = "Not a JSON object, or one that names a key twice or has a number out of range."
    except BadExtendedJson as error:
        problem = error.message()
    return SourceRow(place, {}, problem, text.decode(errors="replace"))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except msgspec.DecodeError:
        return False


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()
