"""May these rules be saved?"""

from __future__ import annotations

from typing import Any, Final

from undercroft.collections.change import Change
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import changes_encryption
from undercroft.collections.fields.checks import drop_empty
from undercroft.errors import FieldError

_WIRE_NAMES: Final = {
    "list_rule": "listRule",
    "view_rule": "viewRule",
    "create_rule": "createRule",
    "update_rule": "updateRule",
    "delete_rule": "deleteRule",
}
_WRITES: Final = ("create_rule", "update_rule", "delete_rule")
_SYSTEM = FieldError("validation_collection_system_rule_change", "System collection API rule cannot be changed.")
_NOT_FOR_VIEWS = FieldError("validation_nil", "Must be blank.")
_NOBODY_OR_RULE = FieldError("validation_nil_or_not_empty_required", "Cannot be blank.")


def check_rules(change: Change) -> dict[str, Any]:
    """Errors in the rules, by wire name."""
    errors = {wire: _check_rule(change, name) for name, wire in _WIRE_NAMES.items()}
    return drop_empty(errors | _check_auth_rules(change))


def check_rules_of_others(change: Change) -> FieldError | None:
    """Why rules of other collections would no longer work when fields are encrypted as they are to be."""
    if change.old is None or not changes_encryption(change.old, change.new):
        return None
    for other in change.others:
        for wire, rule in _rules_of(other).items():
            reason = change.check_rule(other, rule, change.catalog) if rule else None
            if rule and reason is not None and change.check_rule(other, rule, change.catalog.put(change.old)) is None:
                text = f"The {wire} of {other.name} would no longer work. Raw error: {reason.removesuffix('.')}."
                return FieldError("validation_encrypted_field", text)
    return None


def _rules_of(collection: Collection) -> dict[str, str | None]:
    rules: dict[str, str | None] = {wire: getattr(collection, name) for name, wire in _WIRE_NAMES.items()}
    if collection.auth is not None:
        rules |= {"authRule": collection.auth.auth_rule, "manageRule": collection.auth.manage_rule}
    return rules


def rule_text_error(change: Change, rule: str | None) -> FieldError | None:
    """Why a rule text cannot be used, or None."""
    reason = change.check_rule(change.new, rule, change.catalog) if rule else None
    if reason is None:
        return None
    return FieldError("validation_invalid_rule", f"Invalid rule. Raw error: {reason.removesuffix('.')}.")


def _check_rule(change: Change, name: str) -> FieldError | None:
    rule = getattr(change.new, name)
    if _is_fixed(change, getattr(change.old, name, None), rule):
        return _SYSTEM
    if change.new.is_view and name in _WRITES and rule is not None:
        return _NOT_FOR_VIEWS
    return rule_text_error(change, rule)


def _check_auth_rules(change: Change) -> dict[str, FieldError | None]:
    auth = change.new.auth
    if auth is None:
        return {}
    was = _auth_rules(change.old)
    if _is_fixed(change, was[0], auth.auth_rule):
        return {"authRule": _SYSTEM}
    if _is_fixed(change, was[1], auth.manage_rule):
        return {"manageRule": _SYSTEM}
    manage = _NOBODY_OR_RULE if auth.manage_rule == "" else rule_text_error(change, auth.manage_rule)
    return {"authRule": rule_text_error(change, auth.auth_rule), "manageRule": manage}


def _auth_rules(collection: Collection | None) -> tuple[str | None, str | None]:
    auth = collection.auth if collection else None
    return (auth.auth_rule, auth.manage_rule) if auth else (None, None)


def _is_fixed(change: Change, was: str | None, rule: str | None) -> bool:
    return bool(change.old and change.old.system and was != rule)
