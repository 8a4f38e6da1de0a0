"""The composition root: the one module that knows every other, and the ASGI app it makes of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from undercroft.api.dispatch import Edge, Site
from undercroft.api.mail_events import CarrierWithHooks
from undercroft.api.own_routes import MountDecorator, RouteDecorators
from undercroft.api.router import Router
from undercroft.api.routes import ROUTES
from undercroft.auth.form_token import load_form_key
from undercroft.auth.passwords import PasswordPool
from undercroft.backend import Backend
from undercroft.breached import open_breached
from undercroft.collections.catalog import CatalogHolder
from undercroft.collections.store import ensure_system_collections, load_catalog
from undercroft.company import Company
from undercroft.config import load_environment
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.lock import DataLock, lock_directory
from undercroft.database.migrations import migrate
from undercroft.database.move_state import refuse_unfinished
from undercroft.database.opening import open_engine
from undercroft.database.positions import load_positions
from undercroft.database.refusals import DirectoryReadOnly
from undercroft.encryption.failures import KeysUnavailable
from undercroft.errands import Errands
from undercroft.errors import Problem
from undercroft.files.choose import open_files
from undercroft.files.ledger import DOOMED
from undercroft.files.local import STAGING
from undercroft.files.sealed import SealedFiles
from undercroft.files.staging import Staging
from undercroft.files.thumbnails import Thumbs
from undercroft.files.tus import Uploads
from undercroft.hooks.hooks import SECONDS
from undercroft.http.calling import post
from undercroft.http.request import Message, Receive, Send
from undercroft.jobs.declare import CronDecorator, JobDecorator
from undercroft.jobs.webhook import WebhookDecorator
from undercroft.keys.leftovers import seal_leftovers
from undercroft.keys.opening import open_keyring, unlock_root
from undercroft.keys.options import RootOptions, choose_root
from undercroft.keys.ring import Keyring
from undercroft.keys.tombstones import Tombstones, replay_tombstones
from undercroft.mail.carrier import Carrier
from undercroft.mail.folder import FOLDER, FolderCarrier
from undercroft.middleware.cors import Cors
from undercroft.middleware.rate_limit import RateLimiter
from undercroft.moments import On
from undercroft.pages.options import SiteOptions
from undercroft.query.core import Tables
from undercroft.query.plan import Plans
from undercroft.realtime.live import Live
from undercroft.records.erasing import finish_erasures
from undercroft.records.filing import Filing
from undercroft.records.host import Work
from undercroft.settings.carrier import SettingsCarrier
from undercroft.settings.settings import SettingsHolder
from undercroft.settings.storage import find_bucket
from undercroft.settings.store import load_settings, seal_settings
from undercroft.site_code import SiteCode
from undercroft.waiting import Waiting

_OWN_MACHINE: Final = ("127.0.0.0/8", "::1/128")


async def open_backend(
    directory: Path, database: str = "", files: str = "", root: RootOptions | None = None, *, breached: str = ""
) -> Backend:
    """Everything a data directory and its database hold, ready for use, brought up to this program's format.

    `database` is the URL of a PostgreSQL database; without one it is SQLite in the directory.
    `files` is the URL of a bucket, or `local`; without either the settings say where files are.
    `root` says where the root key is, instead of the environment; while it cannot be had, the key ring is locked.
    `breached` is a file of passwords that nobody may set.
    """
    place = _Place(directory, database, files, root or root_of_environment(), breached)
    backend, _ = await _open_at(place, _Posting(), may_be_locked=True)
    return backend


def root_of_environment() -> RootOptions:
    """Where the root key is by the environment alone, for those who read no configuration."""
    return RootOptions.of(load_environment(os.environ), os.environ)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the data are, the root key, and breached passwords."""

    directory: Path
    database: str
    files: str
    root: RootOptions
    breached: str = ""


@dataclass(frozen=True, slots=True)
class _Posting:
    """Where letters go: with a carrier, or to a developer, or else as the settings say."""

    carrier: Carrier | None = None
    dev_url: str = ""

    def choose(self, directory: Path, settings: SettingsHolder) -> Carrier:
        if self.carrier is not None:
            return self.carrier
        return FolderCarrier(directory / FOLDER, self.dev_url) if self.dev_url else SettingsCarrier(settings)


async def _open_at(place: _Place, posting: _Posting, *, may_be_locked: bool) -> tuple[Backend, int]:
    """A backend, and the position in the change log that its settings are at least as new as.

    Raises `KeysUnavailable` when the root key cannot be had, unless the key ring may be locked.
    """
    passwords = PasswordPool(breached=open_breached(place.breached))
    directory, root = place.directory, choose_root(place.root, place.directory, post)
    _make_directory(directory)
    engine = await open_engine(directory, place.database)
    try:
        await refuse_unfinished(engine.read, engine.dialect)
        unlocked = await unlock_root(engine, root)  # before anything is written
        _refuse_locked(unlocked.reason, may_be_locked=may_be_locked)
        await migrate(engine, SYSTEM_MIGRATIONS)
        tombstones = Tombstones(directory)
        await replay_tombstones(engine, tombstones)
        keyring = await open_keyring(engine, root, unlocked, place.root.cache_seconds)
        _refuse_locked(keyring.why_locked, may_be_locked=may_be_locked)
        if not keyring.is_locked:
            await ensure_system_collections(engine, keyring)
            await seal_leftovers(engine)
        position = (await load_positions(engine.read))["settings"]
        settings = SettingsHolder(await load_settings(engine))
        if not keyring.is_locked:
            await seal_settings(engine, settings)
        store = open_files(place.files, directory, os.environ, lambda: find_bucket(settings.current.s3))
        catalogs, plans = CatalogHolder(await load_catalog(engine, keyring)), Plans(engine.dialect)
        sealed = SealedFiles(store, engine, keyring, partial(_may_be_encrypted, catalogs, keyring))
        staging = Staging(directory / "storage" / STAGING, keyring.app_id)
        filing = Filing(engine, sealed, staging)
        engine.listeners[DOOMED] = filing.sweep_soon
        backend = Backend(
            directory=directory,
            engine=engine,
            keyring=keyring,
            catalogs=catalogs,
            settings_holder=settings,
            passwords=passwords,
            files=sealed,
            thumbs=Thumbs(directory / "storage" / STAGING),
            staging=staging,
            filing=filing,
            uploads=Uploads(engine, directory / "uploads", keyring),
            plans=plans,
            form_key=await load_form_key(engine),
            carrier=posting.choose(directory, settings),
            errands=Errands(),
            live=Live(engine, plans, catalogs),
            tombstones=tombstones,
            dev_url=posting.dev_url,
        )
        await tombstones.keep(engine)
        if not keyring.is_locked:
            await finish_erasures(backend)
    except BaseException:
        await engine.close()
        raise
    return backend, position


def _refuse_locked(reason: KeysUnavailable | None, *, may_be_locked: bool) -> None:
    if reason is not None and not may_be_locked:
        raise reason


def _may_be_encrypted(catalogs: CatalogHolder, keyring: Keyring, collection_id: str) -> bool:
    """Whether any file of a collection may be encrypted: since it is to be now, or was once."""
    collection = catalogs.current.find(collection_id)
    is_wanted = collection is not None and any(field.is_encrypted for field in collection.file_fields)
    return is_wanted or keyring.is_locked or keyring.has("file", collection_id)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryReadOnly(directory, error.strerror or "unknown reason") from error


async def close_backend(backend: Backend) -> None:
    """Finish what waits, then let go of everything."""
    await backend.errands.close()
    backend.passwords.close()
    backend.hooks.close()
    await backend.thumbs.close()
    await backend.filing.close()
    backend.staging.close()
    await backend.files.close()
    await backend.engine.close()


def _open_site(options: SiteOptions | None) -> Site | None:
    """The site, if there is one. Raises `PageClash`."""
    if options is None or not options.is_there:
        return None
    from undercroft.pages.site import Site as Pages  # noqa: PLC0415 - see LAZY in tests/house/test_layers.py

    return Pages(options)


class App:
    """A backend as an ASGI 3 application.

    Any ASGI server runs it, and Starlette or FastAPI can mount it: it opens at the
    lifespan's start-up, or at the first request where no lifespan reaches it.
    `database` is the URL of a PostgreSQL database, in place of SQLite in the directory,
    `files` that of a bucket for uploads, or `local` for the directory whatever the settings say.
    `shared` says that several processes of one server use the directory together.
    `site` is where its pages and static files are.
    `hooks` is the folder of its hooks, which may take `hook_seconds` within a change; `on`, `route`,
    `mount`, `job` and `cron` add to them.
    `dev_url` is for development: where the developer sees the app. Mail is then kept, and shown there.
    `mail` carries letters away, whatever the settings say.
    `outgoing_networks` are private ones that it may call into where what it calls is set over HTTP;
    in development its own machine is one.
    Without `rate_limits` those of the settings do not count. `breached_passwords` is a file of those nobody may set.
    `root` says where the root key of encryption is; without it the environment does, or it is in the directory.
    """

    def __init__(
        self,
        directory: Path | str = "data",
        *,
        database: str = "",
        files: str = "",
        origins: Sequence[str] = ("*",),
        shared: bool = False,
        dev_url: str = "",
        mail: Carrier | None = None,
        site: SiteOptions | None = None,
        hooks: Path | str | None = None,
        hook_seconds: float = SECONDS,
        outgoing_networks: Sequence[str] = (),
        rate_limits: bool = True,
        root: RootOptions | None = None,
        breached_passwords: str = "",
    ) -> None:
        self.directory = Path(directory)
        self._place = _Place(self.directory, database, files, root or root_of_environment(), breached_passwords)
        self._cors = Cors(origins)
        self._is_shared = shared
        self._posting = _Posting(mail, dev_url)
        self._networks = (*outgoing_networks, *(_OWN_MACHINE if dev_url else ()))
        self._limiter = RateLimiter(is_on=rate_limits)
        self._site = site
        folder = Path(hooks) if hooks is not None else None
        self.code = SiteCode(folder, is_dev=bool(dev_url), seconds=hook_seconds)
        self.on = On(self.code)
        self.route = RouteDecorators(self.code)
        self.mount = MountDecorator(self.code)
        self.job = JobDecorator(self.code)
        self.cron = CronDecorator(self.code)
        self.webhook = WebhookDecorator(self.code)
        self._opening = asyncio.Lock()
        self._backend: Backend | None = None
        self._edge: Edge | None = None
        self._lock: DataLock | None = None
        self._company: Company | None = None
        self._waiting: Waiting | None = None

    @property
    def backend(self) -> Backend:
        """The open resources. Raises `RuntimeError` before the start."""
        if self._backend is None:
            raise RuntimeError("The app is not open yet.")
        return self._backend

    @property
    def tables(self) -> Tables:
        """The collections as SQLAlchemy tables: `app.tables.articles`. Raises `RuntimeError` before the start."""
        return Tables(self.backend.catalog)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            edge = self._edge or await self._reach()
            if edge is None:
                await self._waiting_room.answer(scope, send)
                return
            if self._posting.dev_url:
                self.code.refresh(edge)
            await edge.answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def start(self) -> None:
        """Open the data directory. Raises `StartRefused` with the reason when that cannot be.

        While the root key is away it `is_waiting`: all requests are answered 503 until it is there.
        """
        await self._reach()

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is open yet, since the root key is away."""
        return self._edge is None and self._waiting is not None

    async def opened(self) -> None:
        """Wait until the root key is there. Raises `StartRefused` when it turns out to be none."""
        if self._waiting is not None:
            await self._waiting.task

    def part(self) -> None:
        """Go on answering, end what streams, and ask every client to come back on a new connection."""
        if self._edge is not None and self._backend is not None:
            self._edge.is_parting = True
            self._backend.live.broker.end_all("stopping")

    async def stop(self) -> None:
        """Finish what waits, then close."""
        if self._waiting is not None:
            await self._waiting.stop()
            self._waiting = None
        await self._close()

    async def _close(self) -> None:
        if self._edge is not None and self._backend is not None:
            await self.code.stop(self._backend)
        if self._company is not None:
            await self._company.leave()
        if self._backend is not None:
            await close_backend(self._backend)
        if self._lock is not None:
            self._lock.release()
        self._edge = self._backend = self._lock = self._company = None

    @property
    def _waiting_room(self) -> Waiting:
        if self._waiting is None:
            raise RuntimeError("The app is not waiting.")
        return self._waiting

    async def _reach(self) -> Edge | None:
        """What answers; None while the root key is away."""
        if self._waiting is None:
            try:
                return await self._open()
            except KeysUnavailable as reason:
                # Of several requests that came at once the first one waits for all.
                self._waiting = self._waiting or Waiting(self._open, reason)
        return self._edge

    async def _open(self) -> Edge:
        async with self._opening:
            if self._edge is None:
                self._lock = None if self._is_shared else lock_directory(self.directory, os.environ)
                try:
                    opened = await _open_at(self._place, self._posting, may_be_locked=self._place.root.serves_locked)
                    self._backend, position = replace(opened[0], hooks=self.code.hooks, jobs=self.code.jobs), opened[1]
                    carrier = CarrierWithHooks(self._backend.carrier, self._backend)
                    self._backend = replace(
                        self._backend, carrier=carrier, outgoing_networks=self._networks, limiter=self._limiter
                    )
                    self._backend.live.broadcaster.judge.work = Work(self._backend)
                    site = _open_site(self._site)
                    self.code.load()
                    await self.code.bootstrap(self._backend)
                    self._company = await Company.join(self._backend, position, is_shared=self._is_shared)
                    edge = Edge(self._backend, Router(ROUTES), self._cors, self._company.freshness)
                    edge.site = site
                    self.code.furnish(edge)
                    await self.code.start(self._backend)
                except BaseException:
                    await self._close()
                    raise
                self._edge = edge
        return self._edge

    async def _live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol."""
        await receive()
        try:
            await self.start()
        except Problem as problem:
            await send({"type": "lifespan.startup.failed", "message": problem.message()})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})
