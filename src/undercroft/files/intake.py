"""Uploaded files in a folder: `storage/COLLECTION/RECORD/NAME`, with a staging area beside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from undercroft.files.names import stored_name
from undercroft.files.sniff import HEAD, sniff
from undercroft.ids import random_text

_STAGING = ".staging"


class LocalIntake:
    """Files of records in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stage(self, original_name: str, source: IO[bytes]) -> tuple[str, str, Path]:
        """Copy an upload to staging: the name it will have, its media type, and where it lies."""
        head = source.read(HEAD)
        source.seek(0)
        mime = sniff(head)
        staging = self.root / _STAGING
        staging.mkdir(parents=True, exist_ok=True)
        path = staging / random_text(24)
        with path.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        return stored_name(original_name, mime), mime, path

    def attach(self, collection_id: str, record_id: str, name: str, staged: Path) -> None:
        """Put a staged file to its record; both are on one file system, so it is there whole or not at all.

        The staged one stays until it is discarded, for a write that is tried again.
        """
        folder = self.root / collection_id / record_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).hardlink_to(staged)

    def remove(self, collection_id: str, record_id: str, names: Iterable[str]) -> None:
        """Remove files of a record, and its folder once that is empty. What is gone already is no error."""
        folder = self.root / collection_id / record_id
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def remove_collection(self, collection_id: str) -> None:
        """Remove all files of a collection."""
        shutil.rmtree(self.root / collection_id, ignore_errors=True)

    def discard(self, staged: Iterable[Path]) -> None:
        """Drop staged files that found no record."""
        for path in staged:
            path.unlink(missing_ok=True)
