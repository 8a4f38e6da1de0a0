"""The files of a site's hooks: loaded by their path, as a package of their own.

Every `*.py` of the folder is loaded, in the order of the names. Those whose names begin with
`_` are for the others to import (`from ._prices import net`).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

from undercroft.hooks.failures import BadHooks
from undercroft.hooks.moment import DECLARED


class HookFiles:
    """A folder of hooks; in development they may change twice in a second, which compiled files would not show."""

    def __init__(self, folder: Path, *, is_dev: bool = False) -> None:
        self.folder = folder
        self.is_dev = is_dev
        self._package = f"undercroft_hooks_{sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
        self._changed: dict[Path, int] = {}

    def has_changed(self) -> bool:
        """Whether a file is not as it was at the last `load`, or at the last time this was asked."""
        changed = self._look()
        if changed == self._changed:
            return False
        self._changed = changed
        return True

    def load(self) -> Sequence[object]:
        """All that the files declare: hooks, routes and their like. Raises `BadHooks`."""
        self._changed = self._look()
        self._forget()
        package = ModuleType(self._package)
        package.__path__ = [str(self.folder)]
        sys.modules[self._package] = package
        keeps_none, sys.dont_write_bytecode = sys.dont_write_bytecode, self.is_dev or sys.dont_write_bytecode
        try:
            for path in sorted(self.folder.glob("*.py")):
                if not path.name.startswith("_"):
                    self._import(path)
        finally:
            sys.dont_write_bytecode = keeps_none
        own = [module for name, module in sys.modules.items() if name.startswith(f"{self._package}.")]
        return [what for module in own for what in module.__dict__.get(DECLARED, ())]

    def _import(self, path: Path) -> None:
        if not path.stem.isidentifier():
            raise BadHooks(f"{path} cannot be loaded: name the file with letters, digits and _ only.")
        try:
            import_module(f"{self._package}.{path.stem}")
        except Exception as error:
            self._forget()
            raise BadHooks(self._describe(error, path)) from error
        except SystemExit as error:
            self._forget()
            raise BadHooks(f"{path}: the file ends the program. Hooks are loaded, not run.") from error

    def _describe(self, error: Exception, path: Path) -> str:
        """The line that is at fault, and what is wrong with it."""
        place = f"{path}"
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{error.filename}, line {error.lineno}"
        else:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if Path(frame.filename).parent == self.folder]
            place = f"{own[-1].filename}, line {own[-1].lineno}" if own else place
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        return f"{place}: {type(error).__name__}: {told}"

    def _forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == self._package]:
            del sys.modules[name]
        invalidate_caches()

    def _look(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in sorted(self.folder.rglob("*.py"))}
