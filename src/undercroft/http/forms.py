"""Bodies of a fixed shape: an object read into a struct, keys in any letter case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from undercroft.errors import BadRequest
from undercroft.http.body import Body

Shape = TypeVar("Shape", bound=msgspec.Struct)


class BadForm(BadRequest):
    """A value has a type that its key cannot hold."""

    code = "bad_form"
    default = "An error occurred while loading the submitted data."


def load_form(body: Body, shape: type[Shape]) -> Shape:
    """The body as a struct. Unknown keys and nulls are ignored. Raises `BadForm`.

    Values of forms are read as the field's type has it: `5` is text for a text.
    """
    data = body.data if body.texts is None else body.data | _texts(body.texts, shape)
    return load_object(data, shape)


def load_object(data: Mapping[str, Any], shape: type[Shape]) -> Shape:
    """Like `load_form`, for an object that is part of a body."""
    try:
        return msgspec.convert(match_keys(data, shape), shape)
    except msgspec.ValidationError:
        raise BadForm from None


def match_keys(data: Mapping[str, Any], shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The object with the struct's own spelling of its keys, without nulls and unknown ones."""
    names = _names(shape)
    return {
        names[key.lower()].encode_name: _match_inside(value, names[key.lower()].type)
        for key, value in data.items()
        if value is not None and key.lower() in names
    }


def find_value(data: Mapping[str, Any], name: str) -> Any:
    """The value of a key in any letter case, an exact match first; None when there is none."""
    if name in data:
        return data[name]
    wanted = name.lower()
    return next((value for key, value in data.items() if key.lower() == wanted), None)


def _match_inside(value: Any, kind: Any) -> Any:
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return match_keys(value, kind) if is_struct and isinstance(value, dict) else value


def _texts(texts: Mapping[str, list[str]], shape: type[msgspec.Struct]) -> dict[str, Any]:
    names = _names(shape)
    return {key: values[0] for key, values in texts.items() if _is_text(names.get(key.lower()))}


def _is_text(field: FieldInfo | None) -> bool:
    return field is not None and field.type in (str, str | None)


@lru_cache(maxsize=256)
def _names(shape: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    fields: Iterable[FieldInfo] = msgspec.structs.fields(shape)
    return {field.encode_name.lower(): field for field in fields}
