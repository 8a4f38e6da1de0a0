"""Seeing that every stored key opens, and is what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undercroft.database.engine import Engine
from undercroft.encryption.failures import DecryptionFailed, WrongRootKey
from undercroft.encryption.wrapping import KeyName, RootKey
from undercroft.errors import Problem
from undercroft.keys.rows import TABLES, StoredKey, load_keys, open_sets


@dataclass(frozen=True, slots=True)
class Broken:
    """A key, or with the id 0 a set, that cannot be used, and why."""

    purpose: str
    scope: str
    key_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How many keys were opened and are in which state, and those that cannot be used."""

    states: Mapping[str, int]
    broken: Sequence[Broken]


async def check_keys(engine: Engine, root: RootKey) -> Checked:
    """Open every key of a database with its root key."""
    states: dict[str, int] = {}
    broken: list[Broken] = []
    for table in TABLES:
        stored = await load_keys(engine.read, table)
        sets: dict[tuple[str, str], list[StoredKey]] = {}
        for key in stored:
            states[key.state] = states.get(key.state, 0) + 1
            sets.setdefault((key.name.purpose, key.name.scope), []).append(key)
        for members in sets.values():
            broken += _check_set(members, root)
    return Checked(states, broken)


def _check_set(members: Sequence[StoredKey], root: RootKey) -> list[Broken]:
    found = [broken for key in members if (broken := _check_key(key, root)) is not None]
    if found:
        return found
    name = members[0].name
    try:
        usable = list(open_sets(members, root))
    except Problem as problem:
        return [_broken(KeyName(name.purpose, name.scope, 0, name.algorithm), problem.message())]
    if usable or all(key.state == "destroyed" for key in members):
        return []
    return [_broken(KeyName(name.purpose, name.scope, 0, name.algorithm), "No key of the set seals.")]


def _check_key(key: StoredKey, root: RootKey) -> Broken | None:
    if key.wrapped is None and key.state != "destroyed":
        return _broken(key.name, f"It is {key.state}, and its material is gone.")
    if key.wrapped is not None and key.state == "destroyed":
        return _broken(key.name, "It is destroyed, and its material is there.")
    try:
        key.open(root)
    except DecryptionFailed as failure:
        return _broken(key.name, failure.detail or failure.message())
    except WrongRootKey as wrong:
        return _broken(key.name, wrong.message())
    return None


def _broken(name: KeyName, reason: str) -> Broken:
    return Broken(name.purpose, name.scope, name.key_id, reason)
