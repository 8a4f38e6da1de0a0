"""The Python modules beside pages: loaded by their path, under names that clash with nothing.

A script may import its neighbours (`from ._shop import prices`); those whose names begin
with `_` are no pages themselves.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from undercroft.errors import Problem
from undercroft.pages.context import PageRequest
from undercroft.pages.storing import Stored

METHODS: Final = ("get", "post", "put", "patch", "delete")
Handler = Callable[[PageRequest], Awaitable[Any]]


class BadScript(Problem):
    """A script of a page cannot be used."""

    code = "bad_script"


@dataclass(frozen=True, slots=True)
class Script:
    """What a module offers: a handler for each method, in upper case, and the URLs of a page with named parts.

    `stored` is what it does where a form of its page is stored.
    """

    handlers: Mapping[str, Handler]
    sitemap: Handler | None
    stored: Stored | None = None


class Scripts:
    """The scripts in the folder of a site's pages."""

    def __init__(self, folder: Path, *, is_dev: bool = False) -> None:
        self._folder = folder
        self._is_dev = is_dev
        self._package = f"undercroft_pages_{sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
        self._known: dict[Path, Script] = {}
        self._changed: object = None

    def of(self, path: Path) -> Script:
        """The script in a file. Raises `BadScript`, and whatever the module raises."""
        if self._is_dev:
            self._forget_old()
        if path not in self._known:
            self._known[path] = _offered(self._load(path), path.relative_to(self._folder))
        return self._known[path]

    def _forget_old(self) -> None:
        """Load all anew when any of them changed, for they may import each other."""
        changed = {path: path.stat().st_mtime_ns for path in self._folder.rglob("*.py")}
        if changed != self._changed:
            self.forget()
            self._changed = changed

    def forget(self) -> None:
        """Let go of every module that was loaded."""
        self._known.clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == self._package]:
            del sys.modules[name]

    def _load(self, path: Path) -> ModuleType:
        package = self._ensure_package(path.parent)
        name = f"{package}.{''.join(letter if letter.isalnum() else '_' for letter in path.stem)}"
        spec = spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise BadScript(f"{path.name} cannot be loaded as a Python module.")
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def _ensure_package(self, folder: Path) -> str:
        """The package that a folder's modules are in, for imports from beside and above."""
        parts = folder.relative_to(self._folder).parts
        name, at = self._package, self._folder
        _add_package(name, at)
        for part in parts:
            name, at = f"{name}.{part}", at / part
            _add_package(name, at)
        return name


def _add_package(name: str, folder: Path) -> None:
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _offered(module: ModuleType, where: Path) -> Script:
    handlers = {method.upper(): getattr(module, method) for method in METHODS if hasattr(module, method)}
    sitemap = getattr(module, "sitemap", None)
    stored = getattr(module, "stored", None)
    for handler in (*handlers.values(), *([sitemap] if sitemap else [])):
        if not inspect.iscoroutinefunction(handler):
            raise BadScript(f"{where}: write `async def {getattr(handler, '__name__', '')}(request)`.")
    if stored is not None and not inspect.iscoroutinefunction(stored):
        raise BadScript(f"{where}: write `async def stored(record, storing)`.")
    if not handlers and sitemap is None and stored is None:
        raise BadScript(f"{where} has no `async def get(request)` or `async def post(request)`.")
    return Script(handlers, sitemap, stored)
