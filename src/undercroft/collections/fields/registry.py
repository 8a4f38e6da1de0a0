"""The field types by name, and fields from and to the JSON of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.casts import as_number
from undercroft.collections.fields.date import DateField
from undercroft.collections.fields.editor import EditorField
from undercroft.collections.fields.email import EmailField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.collections.fields.json import JsonField
from undercroft.collections.fields.number import NumberField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.fields.select import SelectField
from undercroft.collections.fields.text import TextField
from undercroft.collections.fields.url import UrlField
from undercroft.dates import parse_date
from undercroft.errors import BadRequest

TYPES: Final[Mapping[str, type[Field]]] = {
    kind.type: kind
    for kind in (
        TextField,
        EditorField,
        NumberField,
        BoolField,
        EmailField,
        UrlField,
        DateField,
        AutodateField,
        SelectField,
        RelationField,
        FileField,
        JsonField,
        PasswordField,
        GeoPointField,
    )
}


_OPTIONS: Final[Mapping[type[Field], Mapping[str, str]]] = {
    kind: {option.encode_name.lower(): option.encode_name for option in msgspec.structs.fields(kind)}
    for kind in TYPES.values()
}
"""The options of each type, by their names in lower case."""


class BadDefinition(BadRequest):
    """The definition of a collection or a field has the wrong shape."""

    code = "bad_definition"
    default = "Failed to load the submitted data due to invalid formatting."


def load_field(value: Any) -> Field:
    """The field that its JSON describes. Raises `BadDefinition` for an unknown type or a wrong shape."""
    kind = TYPES.get(value.get("type", "")) if isinstance(value, dict) else None
    if kind is None:
        raise BadDefinition
    try:
        field = msgspec.convert(_known(kind, value), kind)
    except msgspec.ValidationError as error:
        raise BadDefinition from error
    return _normal(field)


def dump_field(field: Field) -> dict[str, Any]:
    """The JSON of a field: all options in alphabetical order."""
    options = {"type": field.type, **msgspec.to_builtins(field)}
    return {name: _plain(options[name]) for name in sorted(options)}


def _plain(option: Any) -> Any:
    if isinstance(option, float):
        return as_number(option)
    return list(option) if isinstance(option, tuple) else option


def _known(kind: type[Field], value: Mapping[str, Any]) -> dict[str, Any]:
    """Options under their exact names, whatever the letter case; null means the default."""
    names = _OPTIONS[kind]
    return {names[key.lower()]: item for key, item in value.items() if item is not None and key.lower() in names}


def _normal(field: Field) -> Field:
    if isinstance(field, DateField) and (field.min or field.max):
        field = msgspec.structs.replace(field, min=parse_date(field.min), max=parse_date(field.max))
    if getattr(field, "encrypted", UNSET) is False:
        field = msgspec.structs.replace(field, encrypted=UNSET)
    if getattr(field, "not_personal", UNSET) is False:
        field = msgspec.structs.replace(field, not_personal=UNSET)
    return field
