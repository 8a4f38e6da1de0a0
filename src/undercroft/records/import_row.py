"""A row of a file as the body of a create. Pure: what needs the database is left to the importer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.casts import as_texts
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.dates import parse_date
from undercroft.errors import BadRequest, FieldError, Invalid
from undercroft.records.faithful import loss
from undercroft.records.mapping import FieldMapping, Target
from undercroft.records.sources import SourceRow


@dataclass(frozen=True, slots=True)
class ImportRow:
    """What a row says: a body, dates for fields that a create sets itself, and what must be looked up.

    `paths` are of files, by field.
    """

    body: dict[str, Any]
    dates: Mapping[str, str]
    lookups: list[tuple[Target, Any]] = field(default_factory=list)
    paths: Mapping[str, list[str]] = field(default_factory=dict)


class RowReader:
    """Turns rows into bodies by a mapping. A lenient one lets pass what casting would lose."""

    def __init__(self, mapping: FieldMapping, *, is_lenient: bool) -> None:
        self.mapping = mapping
        self._fields = mapping.collection.by_name
        self._is_lenient = is_lenient
        self._dates = [each.name for each in mapping.collection.fields if isinstance(each, AutodateField)]

    def read(self, row: SourceRow) -> ImportRow:
        """The row by field. Raises `Invalid` for values that would be lost."""
        if row.problem:
            raise BadRequest(row.problem)
        body: dict[str, Any] = {}
        lookups: list[tuple[Target, Any]] = []
        paths: dict[str, list[str]] = {}
        for target, value in self.mapping.apply(row.values):
            if target.lookup is not None:
                lookups.append((target, value))
            elif isinstance(target.field, FileField):
                paths[target.field.name] = _paths(target.field, value)
            elif target.part:
                body.setdefault(target.field.name, {})[target.part] = _coordinate(value)
            else:
                body[target.field.name] = _adapt(target.field, value)
        if not self._is_lenient:
            self._check(body)
        dates = {name: parse_date(body.pop(name)) for name in self._dates if body.get(name)}
        return ImportRow(body, dates, lookups, paths)

    def _check(self, body: Mapping[str, Any]) -> None:
        errors: dict[str, FieldError] = {}
        for name, value in body.items():
            if error := loss(self._fields[name], value):
                errors[name] = error
        if errors:
            raise Invalid(errors)


def _adapt(target: Field, value: Any) -> Any:
    """Spellings that files have and the API has not: whole numbers for texts, GeoJSON points."""
    if isinstance(value, int) and not isinstance(value, bool) and target.type == "text":
        return str(value)
    if isinstance(value, dict) and isinstance(target, GeoPointField) and value.get("type") == "Point":
        return dict(zip(("lon", "lat"), value.get("coordinates") or (), strict=False))
    return value


def _paths(target: FileField, value: Any) -> list[str]:
    """The paths in a value: one, or a list. Raises `Invalid` for more than the field holds."""
    paths = as_texts(value)
    most = max(target.max_select, 1)
    if len(paths) > most:
        text = f"The maximum allowed files is {most}."
        raise Invalid({target.name: FieldError("validation_too_many_files", text, {"maxSelect": most})})
    return paths


def _coordinate(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
