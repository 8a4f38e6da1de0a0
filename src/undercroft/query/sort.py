"""The `sort` parameter: up to eight names, each ascending or descending."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import UnaryExpression, asc, case, desc, func

from undercroft.database.dialect import Expression
from undercroft.query.build import Build, Place
from undercroft.query.errors import FilterError, SortError
from undercroft.query.operand import Operand
from undercroft.query.parser import parse_shape
from undercroft.query.resolver import Resolver
from undercroft.query.tree import Comparison, NameNode

MAX_KEYS = 8
MAX_KEY_BYTES = 255


@dataclass(frozen=True, slots=True)
class SortKey:
    """One name to sort by."""

    name: str
    is_descending: bool


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """The keys of a sort text. Raises `SortError`."""
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_KEYS:
        raise SortError(f"Invalid sort: there are more than {MAX_KEYS} keys.")
    return tuple(_parse_key(part) for part in parts)


def _parse_key(part: str) -> SortKey:
    name = part[1:] if part[:1] in ("-", "+") else part
    if not name or len(part.encode(errors="replace")) > MAX_KEY_BYTES:
        raise SortError("Invalid sort: a key is empty or too long.")
    return SortKey(name, part.startswith("-"))


def compile_sort(
    build: Build, place: Place, keys: tuple[SortKey, ...], resolver: Resolver
) -> Iterator[tuple[Operand, SortKey]]:
    """The operand of each key. Raises `SortError`."""
    for key in keys:
        if key.name == "@random":
            yield Operand(build.dialect.random_order()), key
        elif key.name == "@rowid" and not place.collection.is_view:
            yield Operand(build.dialect.insertion_order(place.table)), key
        else:
            yield _operand(resolver, key), key


def order_by(
    operand: Operand, key: SortKey, *, is_grouped: bool = False, is_strict: bool = False
) -> UnaryExpression[object]:
    """The ORDER BY part of a key. Of many related values the one that comes first decides.

    `is_strict`: the statement is grouped, and sorts by nothing but aggregates.
    """
    value: Expression = operand.sql
    if operand.guard is not None:
        value = case((operand.guard, value))
    if is_strict or (is_grouped and operand.related is not None):
        value = func.max(value) if key.is_descending else func.min(value)
    return desc(value) if key.is_descending else asc(value)


def _operand(resolver: Resolver, key: SortKey) -> Operand:
    try:
        node = parse_shape(f"{key.name} = \x01e")
        name = node.left if isinstance(node, Comparison) else None
        if not isinstance(name, NameNode) or key.name.lower() in ("null", "true", "false"):
            raise SortError(f"Invalid sort: {key.name!r} is no field.")
        return resolver.operand(name)
    except FilterError as error:
        raise SortError(f"Invalid sort by {key.name!r}: {error.message().removeprefix('Invalid filter: ')}") from error
