"""Copying all files of one store into another, in runs that may end at any moment.

A store keeps a file whole or not at all, so there is nothing to write down: what the
target has with the same size and MD5 is done. Files may come and go in the source
meanwhile: it is gone through again until a round finds nothing to copy.
"""

from __future__ import annotations

import asyncio
import hashlib
from asyncio import to_thread
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from undercroft.errors import Problem
from undercroft.files.store import FileStore, ListedFile, NoSuchFile, StoredFile
from undercroft.ids import random_text

_ROUNDS: Final = 5
_MOST_FAILURES: Final = 20
_READ: Final = 256 * 1024


class Watcher(Protocol):
    """Is told how far the work is; sizes are in bytes."""

    def begin(self, files: int, size: int) -> None:
        """A round through the source begins, with so much in it."""

    def advance(self, files: int, size: int) -> None:
        """So much more is done."""


@dataclass(frozen=True, slots=True)
class Road:
    """From which store files go into which, how many at once; `folder` takes what is on its way between two buckets."""

    source: FileStore
    target: FileStore
    folder: Path
    jobs: int = 4


@dataclass
class Moved:
    """What was copied in this run, and how the stores compare at its end; sizes are in bytes."""

    copied: int = 0
    copied_size: int = 0
    files: int = 0
    size: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    extra: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all that is in the source is in the target, too."""
        return not self.missing and not self.failed


async def copy_all(road: Road, watcher: Watcher) -> Moved:
    """Copy what the target does not have, until it has everything; then compare. The source stays as it is."""
    moved = Moved()
    for _ in range(_ROUNDS):
        before = moved.copied
        moved.failed.clear()
        await _round(road, watcher, moved)
        if moved.copied == before or len(moved.failed) >= _MOST_FAILURES:
            break
    await _compare(road, moved)
    return moved


async def delete_copied(road: Road, watcher: Watcher) -> int:
    """Delete from the source what the target has with the same size; how many files that were."""
    count = 0
    async for group in _groups(road.source):
        there = await _sizes(road.target, group)
        keys = [file.key for file in group if there.get(file.key) == file.size]
        await road.source.delete(keys)
        watcher.advance(len(keys), sum(there[key] for key in keys))
        count += len(keys)
    return count


async def _round(road: Road, watcher: Watcher, moved: Moved) -> None:
    files = size = 0
    async for file in road.source.list():
        files, size = files + 1, size + file.size
    watcher.begin(files, size)
    async for group in _groups(road.source):
        there = await _sizes(road.target, group)
        left = iter(group)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(road.jobs):
                tasks.create_task(_copy_some(road, left, there, _Told(watcher, moved)))


@dataclass(frozen=True, slots=True)
class _Told:
    """Who is told what becomes of a file."""

    watcher: Watcher
    moved: Moved


async def _copy_some(road: Road, left: Iterator[ListedFile], there: Mapping[str, int], told: _Told) -> None:
    """Copy one file after the other, while there are any and not too many have failed."""
    for file in left:
        if len(told.moved.failed) >= _MOST_FAILURES:
            return
        try:
            is_new = await _copy(road, file, there.get(file.key))
        except Problem as problem:
            told.moved.failed[file.key] = getattr(problem, "detail", "") or problem.message()
        else:
            told.moved.copied += is_new
            told.moved.copied_size += file.size * is_new
        told.watcher.advance(1, file.size)


async def _copy(road: Road, listed: ListedFile, there: int | None) -> bool:
    """Copy a file unless it is there; whether it was copied. What is gone by now is no error."""
    file = await road.source.find(listed.key)
    if file is None:
        return False
    path = road.source.path(file)
    try:
        file = await _summed_up(file, path)
        if there == file.size and await _is_there(road.target, file):
            return False
        if path is None:
            await _carry(road, file)
        else:
            await road.target.put(file.key, path, file.facts)
    except (NoSuchFile, FileNotFoundError):
        return False
    return True


async def _is_there(target: FileStore, file: StoredFile) -> bool:
    """Whether a store has a file of that size and MD5; what a bucket does not know the MD5 of passes by its size."""
    known = await target.find(file.key)
    return known is not None and known.size == file.size and file.facts.md5 in ("", known.facts.md5)


async def _summed_up(file: StoredFile, path: Path | None) -> StoredFile:
    """The file with its MD5, if that is known or can be found out without fetching it."""
    if file.facts.md5 or path is None:
        return file
    return replace(file, facts=replace(file.facts, md5=await to_thread(_md5, path)))


async def _carry(road: Road, file: StoredFile) -> None:
    """Copy a file by way of this machine's disk."""
    road.folder.mkdir(parents=True, exist_ok=True)
    path = road.folder / random_text(24)
    try:
        with path.open("xb") as target:
            async for piece in road.source.read(file):
                await to_thread(target.write, piece)
        file = await _summed_up(file, path)
        await road.target.put(file.key, path, file.facts)
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


async def _compare(road: Road, moved: Moved) -> None:
    async for group in _groups(road.source):
        there = await _sizes(road.target, group)
        moved.files += len(group)
        moved.size += sum(file.size for file in group)
        moved.missing += [file.key for file in group if there.pop(file.key, -1) != file.size]
        moved.extra += len(there)


async def _groups(store: FileStore) -> AsyncIterator[list[ListedFile]]:
    """The files of a store, those of a collection together, which both kinds of store list one after the other."""
    group: list[ListedFile] = []
    async with aclosing(_listed(store)) as files:
        async for file in files:
            if group and _collection(group[0].key) != _collection(file.key):
                yield group
                group = []
            group.append(file)
    if group:
        yield group


async def _listed(store: FileStore) -> AsyncGenerator[ListedFile, None]:
    async for file in store.list():
        yield file


async def _sizes(store: FileStore, group: list[ListedFile]) -> dict[str, int]:
    """The files that a store has of the same collection, with their sizes."""
    prefix = f"{_collection(group[0].key)}/"
    return {file.key: file.size async for file in store.list(prefix)}


def _collection(key: str) -> str:
    return key.partition("/")[0]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := file.read(_READ):
            digest.update(piece)
    return digest.hexdigest()
