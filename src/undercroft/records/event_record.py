"""A record on its way to the database, as hooks see and change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.errors import did_you_mean
from undercroft.hooks.failures import HookMisuseError
from undercroft.records.draft import Draft


class EventRecord(MutableMapping[str, Any]):
    """The fields of a record by name. What is put in is cast as if it had been submitted, and checked later on.

    A password shows as empty text, and is not set here: what is stored of it is made before.
    Of a file field names can be taken away.
    """

    def __init__(self, draft: Draft, *, is_over: bool = False) -> None:
        self._draft = draft
        self._is_over = is_over

    def __getitem__(self, name: str) -> Any:
        field = self._field(name)
        return "" if isinstance(field, PasswordField) else self._draft.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        field = self._field(name)
        if self._is_over:
            raise HookMisuseError("The record is written already: change it with event.records, or before next().")
        if isinstance(field, PasswordField):
            raise HookMisuseError(f"{name!r} is a password: set it with event.records.{self._draft.collection.name}.")
        cast = field.cast(value)
        if isinstance(field, FileField):
            _refuse_new(field, cast, self._draft.values[name])
        if name == "id" and self._draft.new_files:
            raise HookMisuseError("The files of the record were put where its id leads, so it cannot have another.")
        self._draft.values[name] = cast

    def __delitem__(self, name: str) -> None:
        self[name] = self._field(name).zero

    def __iter__(self) -> Iterator[str]:
        return iter(self._draft.collection.by_name)

    def __len__(self) -> int:
        return len(self._draft.collection.by_name)

    def __repr__(self) -> str:
        return f"<record {self._draft.values['id']} of {self._draft.collection.name}>"

    def _field(self, name: str) -> Any:
        collection = self._draft.collection
        field = collection.by_name.get(name)
        if field is None:
            hint = did_you_mean(name, collection.by_name)
            raise KeyError(f"Records of {collection.name!r} have no field {name!r}.{hint}")
        return field


def _refuse_new(field: FileField, value: Any, present: Any) -> None:
    if set(field.to_list(value)) - set(field.to_list(present)):
        raise HookMisuseError(f"{field.name!r} holds files: a hook can take names away, and add none.")


def shown_values(collection: Collection, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stored values, not to be changed, without what is kept of passwords."""
    secret = {field.name: "" for field in collection.fields if isinstance(field, PasswordField)}
    return MappingProxyType({**values, **secret})
