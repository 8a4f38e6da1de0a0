"""The template engine as everything here uses it: asynchronous, escaping, and loud about misspelt names."""

from __future__ import annotations

from types import CoroutineType

from jinja2 import BaseLoader, ChainableUndefined, Environment, Undefined
from jinja2.utils import missing, object_type_repr

from undercroft.templating.generator import Generator


class Missing(Undefined):
    """A name that nothing stands for: it may be asked whether it is there, and fails when it is used."""

    __slots__ = ()
    __str__ = __iter__ = __aiter__ = __len__ = __contains__ = Undefined._fail_with_undefined_error  # noqa: SLF001 - its own way to fail

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"{self._undefined_name!r} is not defined."
        describe = getattr(type(self._undefined_obj), "__describe_missing__", None)
        if describe is not None and isinstance(self._undefined_name, str):
            told: str = describe(self._undefined_obj, self._undefined_name)
            return told
        return f"{object_type_repr(self._undefined_obj)} has no {self._undefined_name!r}."


class Nothing(ChainableUndefined):
    """What may be absent, such as a related record: prints as nothing, and so does everything it is asked for."""

    __slots__ = ()


class _Environment(Environment):
    code_generator_class = Generator
    coroutine = CoroutineType


def make_environment(loader: BaseLoader, *, has_reload: bool = False) -> Environment:
    """An environment whose templates are compiled once, or with `has_reload` whenever their source changed."""
    return _Environment(
        loader=loader,
        autoescape=True,
        enable_async=True,
        undefined=Missing,
        auto_reload=has_reload,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
    )
