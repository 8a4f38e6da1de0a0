"""Submitted auth options over stored ones: objects merge deeply, lists are replaced, providers match by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from undercroft.collections.fields.registry import BadDefinition
from undercroft.collections.options import AuthOptions, OAuth2Provider


def merge_options(stored: AuthOptions, body: Mapping[str, Any]) -> AuthOptions:
    """The options after a submitted definition. Raises `BadDefinition` for a wrong JSON type."""
    merged = _merge(AuthOptions, msgspec.to_builtins(stored), body)
    try:
        return msgspec.convert(merged, AuthOptions)
    except msgspec.ValidationError as error:
        raise BadDefinition from error


def _merge(kind: type[msgspec.Struct], stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(stored)
    types = get_type_hints(kind)
    for option in msgspec.structs.fields(kind):
        key = option.encode_name
        if key in sent:
            merged[key] = _value(types[option.name], stored[key], sent[key])
    return merged


def _value(kind: Any, stored: Any, sent: Any) -> Any:
    if sent is None:
        return _empty(kind)
    if _is_struct(kind) and isinstance(sent, Mapping):
        return _merge(kind, stored, sent)
    if get_args(kind)[:1] == (OAuth2Provider,) and isinstance(sent, list):
        return [_provider(stored, provider) for provider in sent]
    return sent


def _provider(stored: list[dict[str, Any]], sent: Any) -> Any:
    if not isinstance(sent, Mapping):
        return sent
    known = next((provider for provider in stored if provider["name"] == sent.get("name")), None)
    return _merge(OAuth2Provider, known or msgspec.to_builtins(OAuth2Provider()), sent)


def _empty(kind: Any) -> Any:
    """What null stands for: the empty value of a type."""
    if _is_struct(kind):
        types = get_type_hints(kind)
        return {option.encode_name: _empty(types[option.name]) for option in msgspec.structs.fields(kind)}
    if get_origin(kind) in (Union, UnionType):
        return None
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return [] if get_origin(kind) is tuple else kind()


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
