"""Root keys that several data directories of one database share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from undercroft.database.engine import Engine
from undercroft.http.calling import post
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import KEY, RootOptions, choose_root
from undercroft.keys.ring import Keyring
from undercroft.keys.root_local import FILE_NAME
from undercroft.keys.root_texts import new_root_text

SHARED: Final = RootOptions(key=new_root_text())
"""One for servers in this process, wherever their directories are."""


async def open_ring(engine: Engine, options: RootOptions = SHARED) -> Keyring:
    """The key ring of an open database."""
    root = choose_root(options, Path(), post)
    return await open_keyring(engine, root, await unlock_root(engine, root))


def environment() -> dict[str, str]:
    """What gives several programs one root key."""
    return {KEY: SHARED.key}


def carry_root(source: Path, target: Path) -> None:
    """Put the root key of a data directory into another one, as whoever moves the data does."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / FILE_NAME, target / FILE_NAME)
