"""What the author of a site wrote in Python: hooks, routes and mounted applications."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from undercroft.api.app_events import AppEvent
from undercroft.api.dispatch import Edge
from undercroft.api.house_crons import HOUSE_CRONS
from undercroft.api.mounts import Mounts
from undercroft.api.own_routes import OwnMount, OwnRoute, make_routes
from undercroft.api.router import Router
from undercroft.api.routes import ROUTES
from undercroft.backend import Backend
from undercroft.collections.catalog import Catalog
from undercroft.errors import Problem, did_you_mean
from undercroft.hooks.failures import BadHooks
from undercroft.hooks.hook import Hook
from undercroft.hooks.hooks import SECONDS, Hooks, nothing
from undercroft.hooks.loader import HookFiles
from undercroft.hooks.watchdog import Watchdog
from undercroft.jobs.declare import Jobs
from undercroft.jobs.job import Job
from undercroft.moments import On
from undercroft.records.model_events import COLLECTIONS

T = TypeVar("T")
_KINDS: Final = frozenset({"mailer_send"})  # moments whose tags are no collections
_log = logging.getLogger("undercroft")


class SiteCode:
    """Hooks, routes and applications: those declared one by one, and those in the files of a folder.

    In development the files are loaded anew when they change.
    """

    def __init__(self, folder: Path | None = None, *, is_dev: bool = False, seconds: float = SECONDS) -> None:
        self.hooks = Hooks(seconds=seconds)
        self.jobs = Jobs(lambda: self._all(Job), HOUSE_CRONS)
        self._is_dev = is_dev
        self._files = HookFiles(folder, is_dev=is_dev) if folder is not None else None
        self._declared: list[object] = []
        self._loaded: Sequence[object] = ()

    @property
    def is_there(self) -> bool:
        """Whether there is any code, or may be soon."""
        return bool(self._declared or self._loaded or (self._is_dev and self._files is not None))

    def declare(self, function: Callable[..., Any], what: object) -> None:
        """Take what a decorator declares."""
        del function
        self._declared.append(what)
        if isinstance(what, Hook):
            self.hooks.registry.add(what)

    def watch(self) -> None:
        """Have hooks interrupted that block the event loop; on the main thread, of a program that owns it."""
        self.hooks.watchdog = Watchdog()
        self.hooks.watchdog.start()

    def load(self) -> None:
        """Load the files, if there are any. Raises `BadHooks`."""
        if self._files is not None and self._files.folder.is_dir():
            self._loaded = self._files.load()
            hooks = [what for what in self._loaded if isinstance(what, Hook)]
            for hook in hooks:
                if not hasattr(On, hook.moment):
                    raise BadHooks(f"{hook.name}: there is no moment {hook.moment!r}.")
            self.hooks.registry.load(hooks)
        self.jobs.all()  # two of one name are told now

    def furnish(self, edge: Edge) -> None:
        """Have the routes and applications answered. Raises `BadHooks`."""
        routes = make_routes(self._all(OwnRoute), ROUTES, self.hooks)
        edge.router = Router((*ROUTES, *routes))
        mounts = self._all(OwnMount)
        edge.mounts = Mounts(mounts, self.hooks) if mounts else None

    def refresh(self, edge: Edge) -> None:
        """In development, take over what has changed in the files; what cannot be loaded is told, and the old stays."""
        if not self._is_dev or self._files is None or not self._files.has_changed():
            return
        try:
            self.load()
            self.furnish(edge)
            _log.warning("Loaded the hooks in %s again.", self._files.folder)
        except Problem as problem:
            _log.error("%s", problem)

    async def bootstrap(self, backend: Backend) -> None:
        """Tell hooks that all is open. Raises `BadHooks`."""
        self._warn(backend.catalog)
        await self._begin("bootstrap", backend)

    async def start(self, backend: Backend) -> None:
        """Tell hooks that the server is about to answer. Raises `BadHooks`."""
        self.follow_settings(backend)
        await self._begin("serve", backend)

    async def _begin(self, moment: str, backend: Backend) -> None:
        try:
            await self.hooks.run(self.hooks.registry.find(moment), AppEvent(backend), nothing, " at the start")
        except Problem as problem:
            raise BadHooks(f"A hook of on.{moment} failed, so the server does not start: {problem}") from problem

    def follow_settings(self, backend: Backend) -> None:
        """Tell hooks, from now on, when other settings count."""

        def tell() -> None:
            if found := self.hooks.registry.find("settings_reload"):
                backend.errands.start(self.hooks.tell(found, AppEvent(backend), " after the settings changed"))

        backend.settings_holder.on_swap = tell

    async def stop(self, backend: Backend) -> None:
        """Tell hooks that the server ends."""
        await self.hooks.tell(self.hooks.registry.find("stop"), AppEvent(backend), " at the end")

    def _all(self, kind: type[T]) -> list[T]:
        return [what for what in (*self._declared, *self._loaded) if isinstance(what, kind)]

    def _warn(self, catalog: Catalog) -> None:
        """Say which hooks wait for collections that are not there."""
        known = [collection.name for collection in catalog if not collection.system]
        for hook in self.hooks.registry.all():
            for tag in () if hook.moment in _KINDS else hook.tags:
                if catalog.find(tag) is None and tag != COLLECTIONS:
                    hint = did_you_mean(tag, known)
                    _log.warning("Hook %s is for %r, and there is no such collection yet.%s", hook.name, tag, hint)
