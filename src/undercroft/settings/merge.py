"""Changes to the settings: an object laid over what is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from undercroft.errors import BadRequest
from undercroft.settings.settings import Settings


class BadSettings(BadRequest):
    """A value has a type that its setting cannot hold."""

    code = "bad_settings"
    default = "An error occurred while loading the submitted data."


def merge(settings: Settings, change: Mapping[str, Any], *, is_text: bool = False) -> Settings:
    """The settings with a change laid over them: objects merged, lists replaced, null is the zero value.

    Keys match in any letter case, unknown ones are ignored. Values of a form
    (`is_text`) are texts, read as the setting's type has it. Raises `BadSettings`.
    """
    merged = _merge(msgspec.to_builtins(settings), change)
    try:
        return msgspec.convert(merged, Settings, strict=not is_text)
    except msgspec.ValidationError:
        raise BadSettings from None


def nest(texts: Mapping[str, list[str]]) -> dict[str, Any]:
    """The object that a form with dotted names (`meta.appName`) stands for."""
    nested: dict[str, Any] = {}
    for name, values in texts.items():
        *path, last = name.split(".")[:8]
        part = nested
        for key in path:
            inner = part.setdefault(key, {})
            part = inner if isinstance(inner, dict) else {}
        part[last] = values
    return nested


def _merge(current: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    names = {name.lower(): name for name in current}
    merged = dict(current)
    for key, value in change.items():
        name = names.get(key.lower())
        if name is not None:
            merged[name] = _merge_value(current[name], value)
    return merged


def _merge_value(current: Any, value: Any) -> Any:
    if value is None:
        return _zero(current)
    if isinstance(current, dict) and isinstance(value, dict):
        return _merge(current, value)
    if isinstance(value, list) and isinstance(current, (str, int)):
        return value[0] if len(value) == 1 and isinstance(value[0], str) else value
    return value


def _zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _zero(inner) for key, inner in value.items()}
    return type(value)()
