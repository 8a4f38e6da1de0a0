"""GeoPoint: a longitude and a latitude."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from undercroft.collections.fields.base import JSON, Stored, ValueField
from undercroft.collections.fields.casts import as_number, parse_json
from undercroft.database.dialect import ColumnKind
from undercroft.errors import FieldError


class GeoPointField(ValueField, frozen=True, kw_only=True):
    """A point on earth; 0/0 is the empty value."""

    type: ClassVar[str] = "geoPoint"

    @property
    def column(self) -> ColumnKind:
        return "geo"

    @property
    def zero(self) -> Stored:
        return {"lon": 0, "lat": 0}

    def cast(self, value: JSON) -> Stored:
        point = parse_json(value) if isinstance(value, str) else value
        if not isinstance(point, dict):
            return self.zero
        lon, lat = point.get("lon"), point.get("lat")
        if not (_is_part(lon) and _is_part(lat)):
            return self.zero
        return {"lon": as_number(lon), "lat": as_number(lat)}

    def check_value(self, value: Stored) -> FieldError | None:
        if not -90 <= value["lat"] <= 90:
            return FieldError("validation_invalid_latitude", "Latitude must be between -90 and 90 degrees.")
        if not -180 <= value["lon"] <= 180:
            return FieldError("validation_invalid_longitude", "Longitude must be between -180 and 180 degrees.")
        return None

    def to_column(self, value: Stored) -> str | int | float | None:
        return msgspec.json.encode(value).decode()

    def from_column(self, value: Any) -> Stored:
        return self.cast(value)


def _is_part(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
