"""Encrypting what a command writes, and opening what it reads."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from getpass import getpass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, Final

import click

from undercroft.backend import Backend
from undercroft.cli.roots import ask_new_passphrase
from undercroft.encryption.committed import MAGIC, CommittedSealer
from undercroft.encryption.streams import StreamOpener
from undercroft.keys.making import make_key_set
from undercroft.keys.parcel_streams import ParcelReader, check_whole, find_header
from undercroft.keys.parcels import (
    Tools,
    lock_for_recipients,
    lock_for_ring,
    lock_with_passphrase,
    open_parcel,
    read_note,
    seal_parcel,
)
from undercroft.keys.ring import Keyring

SUFFIX: Final = ".sealed"
_PEEK: Final = 1 << 16
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_passphrase_file = click.option(
    "--passphrase-file", type=_FILE, help="A file with the passphrase it is encrypted with."
)
_passphrase_ask = click.option("--passphrase-ask", is_flag=True, help="Ask for that passphrase.")
_encrypt = click.option(
    "--encrypt", is_flag=True, help="Encrypt the file: for these data, unless an option says for whom."
)
_recipients = click.option(
    "--recipient", "recipients", multiple=True, metavar="AGE", help="Encrypt it to an age recipient; many are possible."
)
_identity = click.option("--age-identity", type=_FILE, help="The age identity that opens an encrypted file.")


@dataclass(frozen=True)
class Wish:
    """For whom a file is to be encrypted, if it is."""

    is_wanted: bool = False
    recipients: tuple[str, ...] = ()
    passphrase: Callable[[], str] | None = None

    async def sealer(self, backend: Backend, content: str) -> CommittedSealer | None:
        """What seals a content of that kind; None when it is to stay in clear. Raises `Problem`."""
        if self.recipients and self.passphrase is not None:
            raise click.UsageError("A file is encrypted to recipients or with a passphrase, not both.")
        if self.recipients:
            return seal_parcel(*lock_for_recipients(self.recipients), content)
        if self.passphrase is not None:
            return seal_parcel(*await lock_with_passphrase(self.passphrase()), content)
        if not self.is_wanted:
            return None
        engine, keyring = backend.engine, backend.keyring
        if not keyring.has("backup", ""):
            await engine.write(lambda tx: make_key_set(tx, engine.dialect, keyring, "backup", ""), alone=True)
        return seal_parcel(*lock_for_ring(keyring), content)


@dataclass(frozen=True)
class Given:
    """What was given to open a file with, if it is encrypted."""

    identity: Path | None = None
    passphrase: Callable[[], str] | None = None


@dataclass(frozen=True)
class Source:
    """What is read: a file or a pipe, and in clear whatever it is; `content` says of what kind it is, if that is known.

    Only a file can be read more than once. `opens` makes what opens it, if it is encrypted.
    """

    path: Path
    pipe: BufferedReader[Any] | None = None
    content: str = ""
    opens: Callable[[], StreamOpener] | None = field(default=None, repr=False)

    @property
    def size(self) -> int | None:
        """How long the file is; None for a pipe."""
        return None if self.pipe is not None else self.path.stat().st_size

    @contextmanager
    def open(self) -> Iterator[BufferedReader[Any]]:
        """The content, from its beginning; that of a pipe goes on, and stays open."""
        if self.pipe is not None:
            yield self.pipe
            return
        with _open_file(self.path) as raw:
            if self.opens is not None:
                find_header(raw)
            yield BufferedReader(raw if self.opens is None else ParcelReader(raw, self.opens()), _PEEK)


@asynccontextmanager
async def open_source(path: Path, given: Given, keyring: Keyring) -> AsyncIterator[Source]:
    """What a command reads, `-` for standard input. Of what is encrypted all was seen to be whole.

    Raises `ParcelShut`, `ParcelDamaged`, and what keys are refused with.
    """
    tools = Tools(keyring, given.identity, given.passphrase)
    if str(path) != "-":
        yield await _found(path, tools)
        return
    piped: Any = sys.stdin.buffer
    pipe = piped if isinstance(piped, BufferedReader) else BufferedReader(piped)
    if pipe.peek(len(MAGIC))[: len(MAGIC)] != MAGIC:
        yield Source(path, pipe)
        return
    with tempfile.NamedTemporaryFile() as copy:
        # It is read twice, and a pipe is there once; what is kept is encrypted.
        shutil.copyfileobj(pipe, copy)
        copy.flush()
        yield await _found(Path(copy.name), tools)


def tell(stream: BufferedReader[Any]) -> int | None:
    """How much of a file was read; None for what is no file."""
    raw = stream.raw
    return int(raw.tell()) if isinstance(raw, ParcelReader) or raw.seekable() else None


def encrypt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say for whom a file is encrypted; it gets them as `wish`."""

    @wraps(command)
    def wished(
        *, encrypt: bool, recipients: tuple[str, ...], passphrase_file: Path | None, passphrase_ask: bool, **others: Any
    ) -> Any:
        asked = _passphrase(passphrase_file, is_asked=passphrase_ask, is_new=True)
        return command(wish=Wish(encrypt, recipients, asked), **others)

    return _encrypt(_recipients(_passphrase_file(_passphrase_ask(wished))))


def open_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that open an encrypted file; it gets them as `given`."""

    @wraps(command)
    def gave(*, age_identity: Path | None, passphrase_file: Path | None, passphrase_ask: bool, **others: Any) -> Any:
        asked = _passphrase(passphrase_file, is_asked=passphrase_ask, is_new=False)
        return command(given=Given(age_identity, asked), **others)

    return _identity(_passphrase_file(_passphrase_ask(gave)))


async def _found(path: Path, tools: Tools) -> Source:
    """A file that is there; if it is encrypted, with what opens it."""
    with _open_file(path) as raw:
        start = raw.read(len(MAGIC))
        raw.seek(0)
        if start != MAGIC:
            return Source(path)
        header = find_header(raw)
        opens = await open_parcel(header, tools)
        check_whole(raw, opens())
    return Source(path, None, read_note(header).content, opens)


def _open_file(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error


def _passphrase(file: Path | None, *, is_asked: bool, is_new: bool) -> Callable[[], str] | None:
    """What gives the passphrase that was named, if one was."""
    if file is not None:
        return lambda: file.read_text(encoding="utf-8").rstrip("\r\n")
    if not is_asked:
        return None
    return ask_new_passphrase if is_new else cache(lambda: getpass("Passphrase of the file: "))
