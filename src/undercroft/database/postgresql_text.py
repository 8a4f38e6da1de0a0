r"""Text with the character NUL, which PostgreSQL's `text` and `jsonb` cannot hold, spelled so that they can.

The characters U+0000, U+0001 and U+0002 each become four characters of U+0001 and U+0002;
all other text stays as it is. The three spellings are *comma-free*: wherever one appears
in spelled text, one was written there, never the end of one and the start of the next. And
they sort as the characters do, before U+0003. So equality, order and LIKE find in spelled
text what they would find in the text; only `_`, which is any one character, and lengths
count four for one.
"""

from __future__ import annotations

import re
from typing import Final

SPELLED_LENGTH: Final = 4
_SPELLINGS: Final = {"\0": "\1\1\1\2", "\1": "\1\1\2\2", "\2": "\1\2\2\2"}
_MEANINGS: Final = {spelled: character for character, spelled in _SPELLINGS.items()}
_TABLE: Final = str.maketrans(_SPELLINGS)
_SPELLED: Final = re.compile("|".join(_MEANINGS))

# In JSON the characters are escapes; a pair of backslashes is one that escapes nothing behind it.
_BACKSLASHES: Final = r"\\\\"
_JSON_SPELLINGS: Final = {
    f"\\u{ord(character):04x}": "".join(f"\\u{ord(sign):04x}" for sign in spelled)
    for character, spelled in _SPELLINGS.items()
}
_JSON_MEANINGS: Final = {spelled: escape for escape, spelled in _JSON_SPELLINGS.items()}
_IN_JSON: Final = re.compile("|".join([_BACKSLASHES, *map(re.escape, _JSON_SPELLINGS)]))
_SPELLED_IN_JSON: Final = re.compile("|".join([_BACKSLASHES, *map(re.escape, _JSON_MEANINGS)]))


def encode_text(text: str) -> str:
    """Text as PostgreSQL can hold it."""
    if "\0" in text or "\1" in text or "\2" in text:
        return text.translate(_TABLE)
    return text


def decode_text(text: str) -> str:
    """The text that was meant; what is no spelling stays."""
    if "\1" not in text:
        return text
    return _SPELLED.sub(lambda found: _MEANINGS[found[0]], text)


def encode_escapes(text: str) -> str:
    r"""JSON text as `jsonb` can hold it, without `\u0000`."""
    if "\\u000" not in text:
        return text
    return _IN_JSON.sub(lambda found: _JSON_SPELLINGS.get(found[0], found[0]), text)


def decode_escapes(text: str) -> str:
    """The JSON text that was meant."""
    if "\\u0001" not in text:
        return text
    return _SPELLED_IN_JSON.sub(lambda found: _JSON_MEANINGS.get(found[0], found[0]), text)
