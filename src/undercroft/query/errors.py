"""What can be wrong with a filter, a sort or a rule."""

from __future__ import annotations

from collections.abc import Iterable

from undercroft.errors import BadRequest, Forbidden, did_you_mean


class FilterError(BadRequest):
    """A filter or rule cannot be read. `at` is the offset in its text, -1 when unknown."""

    code = "invalid_filter"

    def __init__(self, text: str, at: int = -1) -> None:
        super().__init__(text)
        self.at = at

    def message(self) -> str:
        where = f" at position {self.at + 1}" if self.at >= 0 else ""
        return f"Invalid filter: {self.text[:1].lower()}{self.text[1:]}{where}."

    def moved(self, at: int) -> FilterError:
        """The same error at another offset."""
        self.at = at
        return self


class UnknownField(FilterError):
    """The filter names a field that does not exist, or that this caller may not see."""

    code = "unknown_field"

    def __init__(self, name: str, collection: str, visible: Iterable[str], at: int = -1) -> None:
        super().__init__("", at)
        self.name = name
        self.collection = collection
        self.visible = list(visible)

    def message(self) -> str:
        where = f" at position {self.at + 1}" if self.at >= 0 else ""
        hint = did_you_mean(self.name, self.visible)
        return f"Invalid filter: no field {self.name!r} in {self.collection!r}{where}.{hint}"


class FilterTooLarge(FilterError):
    """The filter is longer, deeper or has more parts than the limit."""

    code = "filter_too_large"


class SortError(BadRequest):
    """A sort expression cannot be read."""

    code = "invalid_sort"


class SuperuserFilter(Forbidden):
    """A caller who is no superuser filtered by request data or another collection."""

    code = "superuser_filter"

    def __init__(self, prefix: str) -> None:
        super().__init__(f"Only superusers can filter by {prefix}")
        self.prefix = prefix


class SuperusersOnly(Forbidden):
    """The rule of this action is null."""

    code = "superusers_only"
    default = "Only superusers can perform this action."
