"""Relation: ids of records of another collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from undercroft.collections.fields.base import OptionContext, Stored
from undercroft.collections.fields.checks import drop_empty, range_error
from undercroft.collections.fields.choices import ChoiceField
from undercroft.errors import REQUIRED, FieldError

_CHANGED = FieldError("validation_field_relation_change", "The relation collection cannot be changed.")
_MISSING = FieldError("validation_field_relation_missing_collection", "The relation collection doesn't exist.")
_VIEW = FieldError(
    "validation_relation_field_non_view_base_collection",
    "Only view collections are allowed to have relations to other views.",
)


class RelationField(ChoiceField, frozen=True, kw_only=True):
    """Ids of records of the collection with the id `collection_id`.

    That the records exist is checked where they are written.
    """

    type: ClassVar[str] = "relation"

    collection_id: str = ""
    cascade_delete: bool = False
    min_select: int = 0

    def check_value(self, value: Stored) -> FieldError | None:
        texts = self.to_list(value)
        if len(texts) < self.min_select:
            text = f"Select at least {self.min_select}."
            return FieldError("validation_not_enough_values", text, {"minSelect": self.min_select})
        return self._too_many(texts)

    def check_options(self) -> Mapping[str, Any]:
        return drop_empty(
            {
                "minSelect": range_error(self.min_select),
                "maxSelect": self._check_max_select(),
            }
        )

    def check_links(self, context: OptionContext) -> Mapping[str, Any]:
        return drop_empty({"collectionId": self._check_target(context)})

    def _check_target(self, context: OptionContext) -> FieldError | None:
        if not self.collection_id:
            return REQUIRED
        if context.before is not None and context.before.collection_id != self.collection_id:
            return _CHANGED
        target = context.find_collection(self.collection_id)
        if target is None or target.id != self.collection_id:
            return _MISSING
        return _VIEW if target.is_view and not context.owner.is_view else None

    def _check_max_select(self) -> FieldError | None:
        if self.min_select > 1 and not self.max_select:
            return REQUIRED
        return range_error(self.max_select, max(self.min_select, 0)) if self.max_select else None
