"""What a file is, by its content: the word of the client does not count.

Media types have the names that PocketBase gives them, so that the `mimeTypes` of its
fields mean the same here.
"""

from __future__ import annotations

from typing import Final

from undercroft.files.media_types import EXTENSIONS
from undercroft.files.sniff_binary import sniff_binary
from undercroft.files.sniff_text import sniff_text

HEAD: Final = 3072
UNKNOWN: Final = "application/octet-stream"


def media_type(head: bytes) -> str:
    """The media type for the first `HEAD` bytes of a file; of plain text and markup with its character set."""
    head = head[:HEAD]
    return sniff_binary(head) or sniff_text(head, is_whole=len(head) < HEAD) or UNKNOWN


def matches_type(found: str, wanted: str) -> bool:
    """Whether a sniffed type is an allowed one, whatever its parameters."""
    return bare_type(found) == bare_type(wanted)


def bare_type(mime: str) -> str:
    """A media type without its parameters, in lower case."""
    return mime.partition(";")[0].strip().lower()


def extension_for(mime: str) -> str:
    """The usual extension of a media type, whatever its parameters, with its dot; empty when unknown."""
    return EXTENSIONS.get(bare_type(mime), "")
