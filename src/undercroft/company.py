"""What a process does beside answering: keep up with the others, and do what one must do for all."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

from undercroft.api.job_events import performer
from undercroft.auth.invitations import forget_old_invitations, has_old_invitations
from undercroft.auth.kept import forget_expired, has_expired
from undercroft.auth.rations import forget_old_rations, has_old_rations
from undercroft.auth.sessions import forget_old_sessions, has_old_sessions
from undercroft.auth.setup_link import forget_old_link, has_old_link
from undercroft.auth.tickets import forget_old_tickets, has_old_tickets
from undercroft.backend import Backend
from undercroft.database.changes import forget_old_changes, forget_old_rows, has_old_changes, has_old_rows
from undercroft.database.engine import Engine
from undercroft.database.leader import Always, Duty, Leader
from undercroft.database.lease import Lease
from undercroft.database.queue_keeping import forget_old, has_old
from undercroft.database.wakeup import Silence, Wakeup
from undercroft.files.ledger import abandon_due, has_due_files
from undercroft.files.probe import tell_fault
from undercroft.files.tus_state import forget_old_uploads, has_old_uploads
from undercroft.files.tus_sweep import keep_sweeping
from undercroft.hooks.threads import HookThreads
from undercroft.ids import record_id
from undercroft.jobs.crons import Crons
from undercroft.jobs.queue import JOBS
from undercroft.jobs.worker import Worker
from undercroft.keys.audit import forget_old_failures, has_old_failures
from undercroft.keys.counting import Counting
from undercroft.keys.holders import Presence, forget_old_holders, has_old_holders
from undercroft.keys.keeper import Keeper
from undercroft.mail.outbox import LETTERS
from undercroft.mail.postman import Postman
from undercroft.middleware.freshness import Freshness
from undercroft.realtime.neighbours import forget_old_listeners, has_old_listeners
from undercroft.records.answered import forget_old_answers, has_old_answers
from undercroft.records.file_turner import FileTurner
from undercroft.records.resealing import Resealer, note_promotion
from undercroft.records.sweeping import keep_clearing

DUTIES: Final = (
    Duty("forget old changes", 15, has_old_changes, forget_old_changes),
    Duty("forget what records were", 60, has_old_rows, forget_old_rows),
    Duty("forget old listeners", 60, has_old_listeners, forget_old_listeners),
    Duty("forget old holders of keys", 60, has_old_holders, forget_old_holders),
    Duty("forget old failures of keys", 600, has_old_failures, forget_old_failures),
    Duty("forget an old set-up link", 300, has_old_link, forget_old_link),
    Duty("forget old uploads", 60, has_old_uploads, forget_old_uploads),
    Duty("forget old sessions", 300, has_old_sessions, forget_old_sessions),
    Duty("forget old tickets", 300, has_old_tickets, forget_old_tickets),
    Duty("forget old invitations", 600, has_old_invitations, forget_old_invitations),
    Duty("forget old answers", 300, has_old_answers, forget_old_answers),
    Duty("forget old jobs", 600, partial(has_old, queue=JOBS), partial(forget_old, queue=JOBS)),
    Duty("forget old letters", 600, partial(has_old, queue=LETTERS), partial(forget_old, queue=LETTERS)),
    Duty("forget old rations", 300, has_old_rations, forget_old_rations),
    Duty("give up files that no record came for", 60, has_due_files, abandon_due),
)
_log = logging.getLogger("undercroft")


@dataclass(frozen=True, slots=True)
class Crew:
    """Who works in the background."""

    postman: Postman
    worker: Worker
    resealer: Resealer

    @property
    def all(self) -> tuple[Postman | Worker | Resealer, ...]:
        """Each of them."""
        return self.postman, self.worker, self.resealer


class Company:
    """A process among those that share a database; make it with `join`."""

    def __init__(self, wakeup: Wakeup, freshness: Freshness, leader: Leader, backend: Backend, crew: Crew) -> None:
        self.freshness = freshness
        self._wakeup = wakeup
        self._live = backend.live
        self._write_uses = partial(backend.key_uses.write, backend.engine, is_last=True)
        self._keeper = Keeper(backend.engine, backend.keyring, Presence(backend.engine, record_id()))
        self._leader = leader
        self._crew = crew
        work = (freshness.follow(), leader.run(), keep_sweeping(backend.uploads), *(each.run() for each in crew.all))
        turner = FileTurner(backend, Lease(backend.engine, "files", record_id()))
        files = (
            keep_clearing(backend.filing, backend.staging),
            tell_fault(backend.files.inner),
            Crons(backend.engine, backend.jobs.crons).run(),
            self._keeper.run(),
            backend.tombstones.follow(backend.engine, backend.keyring),
            turner.run(),
            backend.key_uses.keep_writing(backend.engine),
        )
        self._tasks = [asyncio.create_task(each) for each in (*work, *files)]

    @classmethod
    async def join(cls, backend: Backend, settings_at: int, *, is_shared: bool) -> Company:
        """Follow the others from now on, and be followed."""
        engine = backend.engine
        has_others = is_shared or engine.is_networked
        wakeup = await _open_wakeup(engine) if has_others else Silence()
        backend.limiter.tallies.join(wakeup)
        for kind in ("collection", "settings", "keys", "credentials"):
            engine.listeners[kind] = wakeup.ring
        postman = Postman(engine, backend.carrier, is_alone=not has_others)
        worker = Worker(engine, performer(backend, HookThreads()), is_alone=not has_others)
        engine.listeners[LETTERS.kind], engine.listeners[JOBS.kind] = postman.wake, worker.wake
        claim = Lease(engine, "leader", record_id()) if has_others else Always()
        freshness, leader = Freshness(backend, wakeup, settings_at), Leader(engine, claim, _duties(backend))
        await backend.ended.load(engine)
        if not has_others:
            await backend.filing.recover()
        backend.live.start(freshness.catch_up, wakeup if has_others else None)
        # Only on one disk does everybody who writes wait for the same lock.
        share = 1.0 if is_shared and not engine.is_networked else 0.0
        resealer = Resealer(backend, Lease(engine, "resealing", record_id()), share=share, is_alone=not has_others)
        backend.keyring.on_promotion.append(partial(note_promotion, host=backend))
        return cls(wakeup, freshness, leader, backend, Crew(postman, worker, resealer))

    async def leave(self) -> None:
        """Follow no more, and let another one lead."""
        await self._live.close()
        await asyncio.gather(self._crew.postman.stop(), self._crew.worker.stop())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write_uses()
        await self._keeper.leave()
        await self._leader.resign()
        await self._wakeup.close()


def _duties(backend: Backend) -> tuple[Duty, ...]:
    """All that one process does for all, with what depends on the collections there are."""
    codes = Duty(
        "forget expired codes",
        600,
        lambda engine: has_expired(engine, backend.catalog),
        lambda tx, dialect: forget_expired(tx, dialect, backend.catalog),
    )
    return (*DUTIES, *Counting(backend.engine, backend.keyring).duties, codes)


async def _open_wakeup(engine: Engine) -> Wakeup:
    try:
        return await engine.open_wakeup()
    except OSError as error:
        _log.warning("Changes in other processes are seen a quarter of a second later: %s", error)
        return Silence()
