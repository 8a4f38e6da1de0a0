"""From rows to JSON: one generated struct and one generated function a collection.

A record on the wire is a flat object sorted by key. Its struct has those keys as
fields, in that order, so that encoding is a walk in C; the function that fills
it from a row is made of one expression a column. Both depend only on the
collection and on which columns come out, and are kept for as long as the
collection lives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from undercroft.collections.collection import Collection
from undercroft.collections.fields.casts import EXACT
from undercroft.database.engine import Row, Value

Record = Any  # a generated struct with the keys of one collection
_MAX_CODECS = 100  # of one collection; callers choose the columns
_SIGNS = frozenset("-0123456789")  # how JSON numbers begin
PLAIN = ("collectionId", "collectionName")
_EXPONENT_FROM = 1e21  # the wire writes digits out below; Python writes an exponent from 1e16 on


class Codec:
    """Makes records of rows, and keeps what other levels need of them."""

    def __init__(self, collection: Collection, columns: Sequence[str], plain: Sequence[str] = PLAIN) -> None:
        self.collection = collection
        self.columns = tuple(columns)
        keys = sorted({*columns, *plain, "expand"})
        struct = msgspec.defstruct(
            "Record",
            [(f"f{number}", Any) for number, _ in enumerate(keys)],
            rename={f"f{number}": key for number, key in enumerate(keys)},
        )
        self._expand = f"f{keys.index('expand')}"
        self.from_row: Callable[[Row], Record] = _make_reader(collection, self.columns, keys, struct)

    def position(self, name: str) -> int | None:
        """Where a column stands in the rows; None when it does not come out."""
        return self.columns.index(name) if name in self.columns else None

    def expand_of(self, record: Record) -> dict[str, Any]:
        """The `expand` object of a record, made when there is none yet."""
        expand = getattr(record, self._expand)
        if expand is UNSET:
            expand = {}
            setattr(record, self._expand, expand)
        found: dict[str, Any] = expand
        return found


def codec_of(collection: Collection, columns: tuple[str, ...], plain: tuple[str, ...] = PLAIN) -> Codec:
    """The codec of a collection for these columns, and for its own id and name if wanted; made once."""
    made: dict[tuple[tuple[str, ...], tuple[str, ...]], Codec] = collection.__dict__.setdefault("_codecs", {})
    if (columns, plain) not in made:
        if len(made) >= _MAX_CODECS:
            made.clear()
        made[columns, plain] = Codec(collection, columns, plain)
    return made[columns, plain]


def _make_reader(
    collection: Collection, columns: tuple[str, ...], keys: Sequence[str], struct: type[msgspec.Struct]
) -> Callable[[Row], Record]:
    known = {"S": struct, "U": UNSET, "raw": Raw, "number": number_value, "view": view_json, "ID": collection.id}
    known |= {"NAME": collection.name, "EXACT": EXACT, "SIGNS": _SIGNS, "bare": bare_number}
    parts = [_part(collection, columns, key) for key in keys]
    # The text is made of positions and names from this module only, nothing that a caller wrote.
    reader: Callable[[Row], Record] = eval(f"lambda r: S({', '.join(parts)})", known)  # noqa: S307 - see above
    return reader


def _part(collection: Collection, columns: tuple[str, ...], key: str) -> str:
    """The expression that takes one key's value from a row `r`."""
    if key == "collectionId":
        return "ID"
    if key == "collectionName":
        return "NAME"
    if key == "expand" or key not in columns:
        return "U"
    field = collection.by_name[key]
    value = f"r[{columns.index(key)}]"
    if field.type == "password":
        return "''"
    if collection.is_auth and key == "email":
        return f"(U if {value} is None else {value})"
    return _conversion(field.column, is_view=collection.is_view).format(value)


def _conversion(column: str, *, is_view: bool) -> str:
    if column == "number":
        return "({0} if {0}.__class__ is int and -EXACT < {0} < EXACT else number({0}))"
    if column == "bool":
        return "({0} == 1)"
    if column == "json":
        # A column of that kind turns the text of a number into the number.
        stored = "(raw({0}) if {0}.__class__ is str and {0}[0] not in SIGNS else None if {0} is None else bare({0}))"
        return "view({0})" if is_view else stored
    if column in ("list", "geo"):
        empty = "'[]'" if column == "list" else '\'{{"lon":0,"lat":0}}\''
        return f"raw({{0}} or {empty})"
    # Views have NULLs, and so have tables that were adopted.
    return "({0} or '')"


def number_value(value: float | None) -> Any:
    """A number as the wire writes it: that of a 64-bit float, whole ones without a fraction; 0 for NULL."""
    if value is None:
        return 0
    if isinstance(value, int) and -EXACT < value < EXACT:
        return value
    as_float = float(value)
    if not as_float.is_integer() or abs(as_float) >= _EXPONENT_FROM:
        return as_float
    return Raw(format(Decimal(repr(as_float)), "f").removesuffix(".0"))


def bare_number(value: str | float) -> Any:
    """A JSON number that stands alone in its column, which may keep it as a number or as its text."""
    return number_value(msgspec.json.decode(value) if isinstance(value, str) else value)


def view_json(value: Value) -> Any:
    """A value of a view column without a known type: JSON text as JSON, everything else as SQL has it."""
    if isinstance(value, float):
        return number_value(value)
    if isinstance(value, str) and value[:1] in '{["' and _is_json(value):
        return Raw(value)
    return value


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
