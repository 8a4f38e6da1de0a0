"""`undercroft keys erase`, `receipt` and `erased`: people and tenants whose keys are gone, and the proof of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from undercroft.api.erasures import show_erased
from undercroft.backend import Backend
from undercroft.cli.data import Place
from undercroft.cli.jobs import table
from undercroft.cli.keys_place import actor, keys_place, open_keys, open_rows
from undercroft.collections.catalog import Catalog
from undercroft.collections.session import read_catalog
from undercroft.encryption.receipts import BadReceipt, Receipt, parse_receipt, public_key_text, receipt_text, verify
from undercroft.keys.erasures import list_erasures
from undercroft.keys.receipt_key import load_receipt_key
from undercroft.keys.tombstones import parse_receipts, replay_receipts
from undercroft.records.erasing import erase_subject, find_scope, finish_erasures

_HEADS: Final = ("ERASED", "SUBJECT", "OF", "KEYS", "VALUES", "BY")
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_EXISTING: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
T = TypeVar("T")


@click.command()
@click.argument("subject")
@click.option("--collection", default="", help="Whose record it is, where several collections have one of that id.")
@click.option("--to", "file", type=_FILE, help="The file for the receipt, a new one [default: it is printed].")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@keys_place
def erase(subject: str, collection: str, file: Path | None, place: Place, *, is_sure: bool) -> None:
    """Erase a person or tenant: destroy the key of SUBJECT, and with it all values that it sealed.

    SUBJECT is the id of a record, or the text that names a tenant. There is no way back.
    """
    if not is_sure:
        click.echo(f"All values that are encrypted for {subject} are lost for ever, here and in every copy of the key.")
        if click.prompt("Type the subject to erase it", default="", show_default=False) != subject:
            raise click.Abort

    async def work(backend: Backend) -> Receipt:
        engine = backend.engine
        scope = await find_scope(engine.read, engine.dialect, backend.catalog, subject, collection)
        receipt = await erase_subject(backend, scope, actor())
        await backend.tombstones.keep(engine)
        return receipt

    text = receipt_text(_run(place, work))
    if file is None:
        click.echo(text)
        return
    with file.open("x", encoding="utf-8") as output:
        output.write(f"{text}\n")
    click.echo(f"{subject} is erased. The receipt is in {file}.")


@click.command()
@click.argument("file", type=_EXISTING)
@click.option("--key", "public_key", default="", help="The public key, in place of that of the server.")
@keys_place
def receipt(file: Path, public_key: str, place: Place) -> None:
    """Verify the receipt in FILE: that this server signed it, or whoever has --key, for which no data are needed."""
    found = parse_receipt(file.read_bytes().strip())
    verify(found, public_key or _run(place, _public_key))
    values = sum(found.values.values())
    click.echo(f"The receipt is right: {found.subject} was erased on {found.at}, by {found.by}.")
    click.echo(f"Keys destroyed: {', '.join(map(str, found.keys))}. Values emptied: {values}.")
    click.echo(f"Signed with the key {found.public_key}.")


@click.group()
def erased() -> None:
    """Show who was erased, and carry that to another machine.

    \b
    Examples:
      undercroft keys erased list
      undercroft keys erased export erased.jsonl
      undercroft keys erased replay erased.jsonl
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines


@erased.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@keys_place
def list_(place: Place, *, is_json: bool) -> None:
    """List who was erased, the first one first. Needs no root key."""
    receipts, catalog = asyncio.run(_load(place))
    shown = [show_erased(each, catalog) for each in receipts]
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
        return
    rows = [_cells(each, told) for each, told in zip(receipts, shown, strict=True)]
    for line in table([_HEADS, *rows]):
        click.echo(line)


@erased.command()
@click.argument("file", type=_FILE)
@keys_place
def export(file: Path, place: Place) -> None:
    """Write the receipts of all who were erased to FILE, a new one, one a line. Needs no root key."""
    receipts, _ = asyncio.run(_load(place))
    with file.open("x", encoding="utf-8") as output:
        output.writelines(f"{receipt_text(each)}\n" for each in receipts)
    click.echo(f"{len(receipts)} receipts are in {file}.")


@erased.command()
@click.argument("file", type=_EXISTING)
@keys_place
def replay(file: Path, place: Place) -> None:
    """Erase all whom the receipts in FILE name, which this server signed."""
    receipts = parse_receipts(file.read_bytes(), file)

    async def work(backend: Backend) -> int:
        public_key = await _public_key(backend)
        for each in receipts:
            _require_own(each, backend.keyring.app_id)
            verify(each, public_key)
        count = await replay_receipts(backend.engine, receipts, file, actor())
        await backend.keyring.refresh()
        await finish_erasures(backend)
        await backend.tombstones.keep(backend.engine)
        return count

    count = _run(place, work)
    click.echo(f"{count} erased, of {len(receipts)}; the others were before.")


async def _load(place: Place) -> tuple[list[Receipt], Catalog]:
    async with open_rows(place) as engine:
        catalog = await read_catalog(engine.read, engine.dialect)
        return [each.receipt for each in await list_erasures(engine.read)], catalog


async def _public_key(backend: Backend) -> str:
    """What verifies receipts of this server, by the key that signs them, which nobody can put in its place."""
    return public_key_text(await load_receipt_key(backend.engine.read, backend.engine.dialect, backend.keyring))


def _require_own(receipt: Receipt, app_id: str) -> None:
    if receipt.app != app_id:
        raise BadReceipt(f"The receipt for {receipt.subject!r} is of another app, {receipt.app}, and this is {app_id}.")


def _cells(receipt: Receipt, shown: dict[str, Any]) -> tuple[str, ...]:
    of = shown["collectionName"] or receipt.collection or "-"
    values = str(sum(receipt.values.values()))
    return receipt.at[:19], receipt.subject, of, str(len(receipt.keys)), values, receipt.by


def _run(place: Place, work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_keys(place) as backend:
            return await work(backend)

    return asyncio.run(run())
