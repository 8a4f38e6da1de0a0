"""What commands about keys work on: the database, its root key, and sets of keys by the names that people know."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Final, get_args

import click

from undercroft.backend import Backend
from undercroft.cli.data import NoData, Place, find_collection, open_data, place_options
from undercroft.cli.roots import ROOT_NAMES, root_flags
from undercroft.collections.catalog import Catalog
from undercroft.database.engine import Engine
from undercroft.database.opening import open_engine
from undercroft.database.sqlite import FILE_NAME
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.keyset import Purpose
from undercroft.errors import did_you_mean
from undercroft.keys.changing import SetOf
from undercroft.keys.rows import TABLES, StoredKey, load_keys

PURPOSES: Final = get_args(Purpose)
_OF_FIELDS: Final = ("value", "index")
_OF_THE_SERVER: Final = ("system", "backup")


def keys_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the data and their root key are; it gets them as `place`."""

    @wraps(command)
    def placed(*, place: Place, **options: Any) -> Any:
        more = {name: options.pop(name) for name in ROOT_NAMES & options.keys()}
        told = {name: str(flag) if isinstance(flag, Path) else flag for name, flag in more.items()}
        return command(place=replace(place, more=told), **options)

    return place_options(root_flags(placed))


@asynccontextmanager
async def open_rows(place: Place) -> AsyncIterator[Engine]:
    """The database alone, whose keys can be looked at without the root key. Raises `NoData`."""
    config = place.config()
    folder = Path(config.dir)
    if not config.database and not (folder / FILE_NAME).exists():
        raise NoData(f"There is no data in {folder}: start a server there first, or name another folder with --dir.")
    engine = await open_engine(folder, config.database)
    try:
        tables = {str(name) for (name,) in await engine.read(engine.dialect.list_tables())}
        if "_keys" not in tables:
            raise NoData(
                f"There are no keys in {config.database or folder}: start a server of this version there first."
            )
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def open_keys(place: Place) -> AsyncIterator[Backend]:
    """The backend of existing data with its keys. Raises `NoData`, `WrongRoot` and its kin, and `KeysUnavailable`."""
    async with open_data(place) as backend:
        if backend.keyring.is_locked:
            raise backend.keyring.why_locked or KeysUnavailable()
        yield backend


def actor() -> str:
    """Who does it, for the audit log."""
    return f"command line ({getpass.getuser()})"


def set_of(backend: Backend, purpose: Purpose, scope: str) -> SetOf:
    """The set of keys of a purpose within a scope, by names or ids. Raises `NoData`."""
    found = scope_of(backend, purpose, scope)
    return SetOf(backend.engine, backend.keyring, purpose, found, actor())


def scope_of(backend: Backend, purpose: Purpose, scope: str) -> str:
    """The ids of what is named: COLLECTION, COLLECTION/FIELD, COLLECTION/FIELD/NUMBER. Raises `NoData`."""
    if purpose in _OF_THE_SERVER:
        if scope:
            raise click.UsageError(f"There is one set of {purpose} keys for the whole server: name nothing.")
        return ""
    if not scope:
        raise click.UsageError(f"Say which {purpose} keys, as COLLECTION{'/FIELD' if purpose in _OF_FIELDS else ''}.")
    name, *rest = scope.split("/")
    collection = find_collection(backend, name)
    if purpose in _OF_FIELDS and rest:
        by_name = collection.by_name
        field = by_name.get(rest[0]) or next((each for each in collection.fields if each.id == rest[0]), None)
        if field is None:
            raise NoData(f"There is no field {rest[0]!r} in {collection.name!r}.{did_you_mean(rest[0], list(by_name))}")
        rest = [field.id, *rest[1:]]
    return "/".join([collection.id, *rest])


async def find_key(engine: Engine, key_id: int) -> StoredKey:
    """The key of that id. Raises `NoData`, also where several sets have a key of that id."""
    found = [key for table in TABLES for key in await load_keys(engine.read, table) if key.name.key_id == key_id]
    if not found:
        raise NoData(f"There is no key {key_id}: `undercroft keys list` shows those there are.")
    if len(found) > 1:
        raise NoData(f"{len(found)} sets have a key {key_id}, which a chance of one in millions has brought about.")
    return found[0]


def shown_scope(catalog: Catalog, scope: str) -> str:
    """A scope by the names of its collection and field, as far as they are there."""
    if not scope:
        return "-"
    first, *rest = scope.split("/")
    collection = catalog.find(first)
    if collection is None:
        return scope
    names = {field.id: field.name for field in collection.fields}
    return "/".join([collection.name, *(names.get(part, part) for part in rest)])
