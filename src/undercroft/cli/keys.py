"""`undercroft keys`: which keys there are, and what can be done with them, while a server runs or none does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import gmtime, strftime
from typing import Any, Final, TypeVar, get_args

import click
import msgspec

from undercroft.backend import Backend
from undercroft.cli.data import Place
from undercroft.cli.jobs import table
from undercroft.cli.keys_erase import erase, erased, receipt
from undercroft.cli.keys_place import (
    PURPOSES,
    actor,
    find_key,
    keys_place,
    open_keys,
    open_rows,
    scope_of,
    set_of,
    shown_scope,
)
from undercroft.cli.keys_root import root
from undercroft.cli.keys_scrub import scrub
from undercroft.cli.keys_work import work
from undercroft.collections.session import read_catalog
from undercroft.database.engine import Engine
from undercroft.encryption.keyset import Algorithm, Purpose
from undercroft.encryption.tink_keysets import to_json
from undercroft.encryption.wrapping import KeyName
from undercroft.keys.audit import Entry, append_entry, list_entries
from undercroft.keys.changing import KEEP_DAYS, SetOf, destroy_key, disable_key, enable_key
from undercroft.keys.checking import check_keys
from undercroft.keys.holders import list_holders
from undercroft.keys.making import make_key_set
from undercroft.keys.root import SHOWN, load_root
from undercroft.keys.rotation import ROLL_OUT_SECONDS, rotate_key
from undercroft.keys.rows import KEYS, SUBJECT_KEYS, StoredKey, load_keys
from undercroft.records.index_turning import TurnedIndex, turn_index
from undercroft.records.under_key import KeyStillNeeded, Under, count_under, name_all

_HEADS: Final = ("KEY", "PURPOSE", "OF", "STATE", "SEALED", "CREATED")
_AUDIT_HEADS: Final = ("AT", "EVENT", "KEY", "PURPOSE", "OF", "BY", "DETAIL")
_MOST_SUBJECTS: Final = 1000
T = TypeVar("T")
_with_purpose = click.argument("purpose", type=click.Choice(PURPOSES))
_with_scope = click.argument("scope", metavar="[OF]", default="")
_as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")
_algorithm = click.option(
    "--algorithm", type=click.Choice(get_args(Algorithm)), help="What the key is for [default: as the one before]."
)


@click.group()
def command() -> None:
    """Show the keys that encryption uses, turn them, and take them out of use.

    Keys are of a PURPOSE, value or index OF a field (COLLECTION/FIELD), file OF a collection, subject OF a
    record, system or backup of the whole server. All commands work while a server runs.

    \b
    Examples:
      undercroft keys list
      undercroft keys rotate value briefs/email
      undercroft keys export --tink value briefs/email
      undercroft keys root
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


for also in (root, work, scrub, erase, receipt, erased):
    command.add_command(also)


@command.command("list")
@_as_json
@click.option("--all", "is_all", is_flag=True, help="Also keys that were destroyed, and those of people and tenants.")
@keys_place
def list_(place: Place, *, is_json: bool, is_all: bool) -> None:
    """List keys; the one that seals is marked with *. Needs no root key."""

    async def load() -> dict[str, Any]:
        async with open_rows(place) as engine:
            return await _describe(engine, is_all=is_all)

    found = asyncio.run(load())
    if is_json:
        _print_json(found)
        return
    rows = [(f"{key['id']}{'*' if key['primary'] else ''}", *map(str, _cells(key))) for key in found["keys"]]
    for line in table([_HEADS, *rows]):
        click.echo(line)
    known = found["root"]
    if known is not None:
        told = f"version {known['version']}, check value {known['check']}, provider {known['provider']}"
        click.echo(f"\nThe root key: {told}.")
    held = ", ".join(f"{holder['label']} at {holder['revision']}" for holder in found["holders"])
    click.echo(f"Servers that hold them: {held or 'none'}.")


@command.command()
@_with_purpose
@_with_scope
@click.option("--algorithm", type=click.Choice(get_args(Algorithm)), help="What they are for [default: by PURPOSE].")
@keys_place
def create(purpose: Purpose, scope: str, algorithm: Algorithm | None, place: Place) -> None:
    """Make the keys of a PURPOSE before they are first needed; what is there stays."""

    async def make(backend: Backend) -> tuple[int, bool]:
        keys, engine = set_of(backend, purpose, scope), backend.engine
        had = backend.keyring.has(purpose, keys.scope)
        made = await engine.write(
            lambda tx: make_key_set(
                tx, engine.dialect, backend.keyring, purpose, keys.scope, algorithm=algorithm, actor=actor()
            ),
            alone=True,
        )
        return made.primary_id, had

    key_id, had = _run(place, make)
    click.echo(f"Key {key_id} {'is there already' if had else 'is made'}, and seals.")


@command.command()
@_with_purpose
@_with_scope
@_algorithm
@click.option(
    "--seconds", type=float, default=ROLL_OUT_SECONDS, show_default=True, help="How long to wait for all servers."
)
@keys_place
def rotate(purpose: Purpose, scope: str, algorithm: Algorithm | None, seconds: float, place: Place) -> None:
    """Seal with a new key, once every server has it.

    What the old key sealed goes on opening with it, and the values of a field are sealed anew while all goes on. The
    key of an index turns with its index: another one is filled beside it. `undercroft keys work` says how far that is.
    """
    if purpose == "index":
        _turn_index(place, scope, has_more=algorithm is not None)
        return

    async def turn(backend: Backend) -> tuple[int, int]:
        done = await rotate_key(set_of(backend, purpose, scope), algorithm, seconds=seconds)
        return done.old_id, done.new_id

    old_id, new_id = _run(place, turn)
    click.echo(f"Key {new_id} seals now. Key {old_id} still opens what it sealed.")


@command.command()
@click.argument("key_id", metavar="KEY", type=int)
@click.option(
    "--keep-days", type=float, default=KEEP_DAYS, show_default=True, help="For how long backups may still need it."
)
@keys_place
def disable(key_id: int, keep_days: float, place: Place) -> None:
    """Keep shut what a key sealed; `enable` opens it again."""
    _change(place, key_id, lambda keys: disable_key(keys, key_id, keep_days=keep_days))
    click.echo(f"Key {key_id} is disabled: what it sealed is an error to read, until it is enabled again.")


@command.command()
@click.argument("key_id", metavar="KEY", type=int)
@keys_place
def enable(key_id: int, place: Place) -> None:
    """Have what a disabled key sealed open again."""
    _change(place, key_id, lambda keys: enable_key(keys, key_id))
    click.echo(f"Key {key_id} is enabled again: what it sealed opens.")


@command.command()
@click.argument("key_id", metavar="KEY", type=int)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--early", "is_early", is_flag=True, help="Also while backups may still need it.")
@click.option("--force", "is_forced", is_flag=True, help="Also while values, files or secrets are under it.")
@keys_place
def destroy(key_id: int, place: Place, *, is_sure: bool, is_early: bool, is_forced: bool) -> None:
    """Destroy a disabled key: what it sealed is lost for ever, here and in every copy without the key.

    What still is under it is counted, and in the way.
    """
    if not is_sure:
        click.echo(
            f"All that key {key_id} sealed and no other key has sealed since is lost for ever: values, files, "
            "whatever it was. Only a backup that holds both the key and the root key brings it back."
        )
        typed = click.prompt("Type the number of the key to destroy it", default="", show_default=False)
        if typed != str(key_id):
            raise click.Abort

    async def act(backend: Backend) -> Sequence[Under]:
        name = (await find_key(backend.engine, key_id)).name
        under = await count_under(backend.engine, backend.catalog, name)
        if under and not is_forced:
            raise KeyStillNeeded(key_id, under)
        await destroy_key(_set_of_key(backend, name), key_id, is_early=is_early)
        return under

    under = _run(place, act)
    lost = f", and with it {name_all(under)}" if under else ""
    click.echo(f"Key {key_id} is destroyed{lost}.")


@command.command()
@_with_purpose
@_with_scope
@click.option("--tink", "is_tink", is_flag=True, required=True, help="As a key set of Google Tink, in JSON.")
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), help="The file to write, a new one.")
@keys_place
def export(purpose: Purpose, scope: str, file: Path | None, place: Place, *, is_tink: bool) -> None:
    """Write the keys of a PURPOSE out in clear, for any program that has Tink; this is written down."""
    del is_tink  # there is one format, and it is to be named

    async def take(backend: Backend) -> str:
        keys = set_of(backend, purpose, scope)
        text = to_json(backend.keyring.key_set(purpose, keys.scope))
        entry = Entry("keys_exported", purpose, keys.scope, actor=actor())
        await backend.engine.write(lambda tx: append_entry(tx, keys.dialect, entry))
        return text

    text = _run(place, take)
    if file is None:
        click.echo(text)
        return
    with open(file, "x", encoding="utf-8", opener=_for_the_owner) as output:
        output.write(f"{text}\n")
    click.echo(f"The keys are in {file}, in clear.")


@command.command()
@_as_json
@keys_place
def check(place: Place, *, is_json: bool) -> None:
    """Open every key with the root key; exits with 1 when one cannot be used, with 78 when it is the wrong root key."""

    async def look(backend: Backend) -> Any:
        return await check_keys(backend.engine, backend.keyring.root_key)

    checked = _run(place, look)
    if is_json:
        _print_json(asdict(checked))
    else:
        for broken in checked.broken:
            click.echo(f"Key {broken.key_id} of {broken.purpose} {broken.scope}: {broken.reason}")
        states = ", ".join(f"{count} {state}" for state, count in sorted(checked.states.items()))
        click.echo(f"Opened with the root key: {states or 'no keys'}. Cannot be used: {len(checked.broken)}.")
    sys.exit(1 if checked.broken else 0)


@command.command()
@_as_json
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@keys_place
def audit(limit: int, place: Place, *, is_json: bool) -> None:
    """Show what was done with keys, and what did not open, the newest first. Needs no root key."""

    async def load() -> tuple[list[Entry], Callable[[str], str]]:
        async with open_rows(place) as engine:
            catalog = await read_catalog(engine.read, engine.dialect)
            return await list_entries(engine, limit), lambda scope: shown_scope(catalog, scope)

    entries, named = asyncio.run(load())
    if is_json:
        _print_json([asdict(entry) for entry in entries])
        return
    rows = [
        (e.at[:19], e.event, str(e.key_id or "-"), e.purpose or "-", named(e.scope), e.actor, _told(e)) for e in entries
    ]
    for line in table([_AUDIT_HEADS, *rows]):
        click.echo(line)


async def _describe(engine: Engine, *, is_all: bool) -> dict[str, Any]:
    catalog = await read_catalog(engine.read, engine.dialect)
    stored = [key for key in await load_keys(engine.read, KEYS) if is_all or key.state != "destroyed"]
    if is_all:
        stored += (await load_keys(engine.read, SUBJECT_KEYS))[:_MOST_SUBJECTS]
    known = await load_root(engine.read)
    shown = None
    if known is not None:
        shown = {"version": known.version, "provider": known.provider, "check": known.check[:SHOWN]}
    return {
        "root": shown,
        "holders": [asdict(holder) for holder in await list_holders(engine)],
        "keys": [_shown(key, shown_scope(catalog, key.name.scope)) for key in stored],
    }


def _shown(key: StoredKey, of: str) -> dict[str, Any]:
    kept = strftime("%Y-%m-%d", gmtime(key.destroy_after)) if key.destroy_after and key.state == "disabled" else ""
    return {
        "id": key.name.key_id,
        "purpose": key.name.purpose,
        "scope": key.name.scope,
        "of": of,
        "state": key.state,
        "primary": key.is_primary,
        "algorithm": key.name.algorithm,
        "uses": key.uses,
        "created": key.created,
        "kept_until": kept,
    }


def _cells(key: dict[str, Any]) -> Sequence[Any]:
    state = f"{key['state']} until {key['kept_until']} at least" if key["kept_until"] else key["state"]
    return key["purpose"], key["of"], state, f"about {key['uses']}", key["created"][:19]


def _told(entry: Entry) -> str:
    return ", ".join(f"{name} {value}" for name, value in entry.detail.items()) or "-"


def _turn_index(place: Place, scope: str, *, has_more: bool) -> None:
    if has_more:
        raise click.UsageError("The key of an index has one algorithm: leave --algorithm out.")

    async def turn(backend: Backend) -> TurnedIndex:
        collection_id, field_id, *_ = [*scope_of(backend, "index", scope).split("/"), ""]
        return await turn_index(backend, collection_id, field_id, actor())

    turned = _run(place, turn)
    click.echo(
        f"Index {turned.new}, with a new key, is filled by the server that runs on these data, or the next one. Index "
        f"{turned.old} is read until that is done. `undercroft keys work --watch` shows how far it is."
    )


def _change(place: Place, key_id: int, step: Callable[[SetOf], Awaitable[None]]) -> None:
    async def change(backend: Backend) -> None:
        name = (await find_key(backend.engine, key_id)).name
        await step(_set_of_key(backend, name))

    _run(place, change)


def _set_of_key(backend: Backend, name: KeyName) -> SetOf:
    return SetOf(backend.engine, backend.keyring, name.purpose, name.scope, actor())


def _run(place: Place, work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_keys(place) as backend:
            return await work(backend)

    return asyncio.run(run())


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
