"""Forms: urlencoded and multipart bodies as an object and files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from undercroft.errors import TooLarge
from undercroft.http.inference import infer_all
from undercroft.http.json_text import BadBody, parse_object
from undercroft.http.query import parse_pairs
from undercroft.http.upload import Intake, Sink, Upload

MAX_PARTS: Final = 1000
MAX_PAIRS: Final = 10_000
MAX_TEXT: Final = 10 * 1024 * 1024  # all values of a form that are no files
_ENCODED_NAME: Final = re.compile(r";\s*filename\*\s*=\s*utf-8'[\w-]*'([^;\s]+)", re.IGNORECASE)
JSON_PAYLOAD: Final = "@jsonPayload"


@dataclass(slots=True)
class Form:
    """A form while it is read, and after."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        """The values as JSON; every `@jsonPayload` is merged over them, in order, as it is."""
        data = {name: infer_all(texts) for name, texts in self.texts.items() if name != JSON_PAYLOAD}
        for text in self.texts.get(JSON_PAYLOAD, ()):
            data |= parse_object(text.encode())
        return data


def read_urlencoded(raw: bytes) -> Form:
    """The form in an urlencoded body. Raises `BadBody` when it has too many values."""
    if raw.count(b"&") >= MAX_PAIRS:
        raise BadBody(f"The form has more than {MAX_PAIRS:,} values.")
    form = Form()
    for name, value in parse_pairs(raw):
        form.texts.setdefault(name, []).append(value)
    return form


async def read_multipart(kind: bytes, chunks: AsyncIterator[bytes], intake: Intake) -> Form:
    """The form in a multipart body; its files are where the intake put them.

    Raises `BadBody` when it is malformed or cut off, and what sinks raise; no file is
    left then.
    """
    reader = _Reader(_boundary(kind), intake)
    try:
        async for chunk in chunks:
            await reader.feed(chunk)
        reader.end()
    except MultipartError:
        reader.discard()
        raise BadBody from None
    except BaseException:
        reader.discard()
        raise
    return reader.form


def _encoded_filename(part: MultipartSegment) -> str:
    """A name as in `filename*=UTF-8''na%C3%AFve.txt`: forms should not have it, but older clients send it so."""
    found = _ENCODED_NAME.search(part.header("Content-Disposition", ""))
    return unquote(found[1]) if found else ""


def _boundary(kind: bytes) -> str:
    options: Mapping[str, str] = parse_options_header(kind.decode("latin-1"))[1]
    boundary = options.get("boundary", "")
    if not 0 < len(boundary) <= 200:
        raise BadBody
    return boundary


class _Reader:
    """Puts the parts of a multipart body where they belong."""

    def __init__(self, boundary: str, intake: Intake) -> None:
        self.form = Form()
        self._parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS)
        self._intake = intake
        self._part: MultipartSegment = None
        self._filename = ""
        self._text = bytearray()
        self._text_size = 0
        self._sinks: list[Sink] = []
        self._sink: Sink | None = None

    async def feed(self, chunk: bytes) -> None:
        if self._parser.closed:
            return
        for event in self._parser.parse(chunk):
            if event is None:
                await self._finish()
            elif isinstance(event, MultipartSegment):
                self._begin(event)
            elif self._sink is not None:
                await self._sink.write(event)
            elif not self._filename:
                self._add_text(event)

    def end(self) -> None:
        self._parser.close()

    def discard(self) -> None:
        for sink in self._sinks:
            sink.discard()

    def _begin(self, part: MultipartSegment) -> None:
        self._part, self._filename = part, part.filename or _encoded_filename(part)
        if self._filename:
            self._sink = self._intake.open(part.name, self._filename, part.content_type or "")
        if self._sink is not None:
            self._sinks.append(self._sink)

    def _add_text(self, chunk: bytes) -> None:
        self._text_size += len(chunk)
        if self._text_size > MAX_TEXT:
            raise TooLarge
        self._text += chunk

    async def _finish(self) -> None:
        name = self._part.name
        if self._sink is not None:
            self.form.files.setdefault(name, []).append(await self._sink.finish())
        elif name and not self._filename:
            self.form.texts.setdefault(name, []).append(self._text.decode(errors="replace"))
        self._sink, self._text = None, bytearray()
