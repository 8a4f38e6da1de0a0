"""Root keys that several data directories of one database share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from undercroft.keys.options import KEY, RootOptions
from undercroft.keys.root_local import FILE_NAME
from undercroft.keys.root_texts import new_root_text

SHARED: Final = RootOptions(key=new_root_text())
"""One for servers in this process, wherever their directories are."""


def environment() -> dict[str, str]:
    """What gives several programs one root key."""
    return {KEY: SHARED.key}


def carry_root(source: Path, target: Path) -> None:
    """Put the root key of a data directory into another one, as whoever moves the data does."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / FILE_NAME, target / FILE_NAME)
