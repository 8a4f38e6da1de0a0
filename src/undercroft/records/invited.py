"""Accounts that are yet to be: whether somebody may say what one will be, and whether one can be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.errors import FieldError, Invalid
from undercroft.records.access import Access
from undercroft.records.draft import Submission, make_draft
from undercroft.records.prepare import is_manager
from undercroft.records.record import find_record
from undercroft.records.validate import NOT_UNIQUE, validate

_OWN: Final = frozenset({"id", "email", "verified", "tokenKey"})
_NOT_OFFERED: Final = FieldError("validation_unknown_field", "There is no such field that could be set.")
_REFUSED: Final = "Failed to create the invitation."


async def may_manage_draft(access: Access, collection: Collection, values: Mapping[str, Any]) -> bool:
    """Whether the caller may manage an account that has these values, once there is one."""
    draft = make_draft(collection, None, Submission(values), is_superuser=access.scope.is_superuser)
    return await is_manager(access, draft)


async def check_offer(
    access: Access, collection: Collection, email: str, values: Mapping[str, Any], ask: Sequence[str]
) -> None:
    """Return if there may be an account with that address and these values. Raises `Invalid`."""
    errors: dict[str, Any] = {}
    if await find_record(access.run, access.dialect, collection, {"email": email}):
        errors["email"] = NOT_UNIQUE
    offered = _offered(collection, is_superuser=access.scope.is_superuser)
    unknown = {name: _NOT_OFFERED for name in values if name not in offered}
    draft = make_draft(collection, None, Submission(values), is_superuser=access.scope.is_superuser)
    wrong = {name: error for name, error in (await validate(access, draft, {})).items() if name in values}
    if wrong | unknown:
        errors["values"] = wrong | unknown
    hidden = {field.name for field in collection.fields if field.hidden}
    if odd := {str(at): _NOT_OFFERED for at, name in enumerate(ask) if name not in offered - hidden - values.keys()}:
        errors["ask"] = odd
    if errors:
        raise Invalid(errors, _REFUSED)


def _offered(collection: Collection, *, is_superuser: bool) -> frozenset[str]:
    """Names of the fields that an account can be given before it is there."""
    unfit = (AutodateField, FileField, PasswordField)
    return frozenset(
        field.name
        for field in collection.fields
        if field.name not in _OWN and not isinstance(field, unfit) and (is_superuser or not field.hidden)
    )
