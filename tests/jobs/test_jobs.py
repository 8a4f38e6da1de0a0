"""Jobs of a site: put in with what they belong to, done, tried again, given up, looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from undercroft.database.queue import Ending, end
from undercroft.database.queue_keeping import forget_old, has_old
from undercroft.jobs import worker
from undercroft.jobs.crons import Crons
from undercroft.jobs.job import BadArguments, BadJob, Job, order
from undercroft.jobs.queue import (
    JOBS,
    JobOver,
    cancel_job,
    claim_jobs,
    enqueue,
    list_jobs,
    load_job,
    retry_jobs,
)
from undercroft.jobs.schedule import next_tick

DAY = 86_400.0
NOTES = "/api/collections/notes/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Jobs that failed are tried again at once."""
    monkeypatch.setattr(worker.Pace, "delay", lambda *_: 0.01)


@pytest.fixture
async def notes(client):
    client.root = await client.superuser()
    body = {"name": "notes", "type": "base", "fields": [{"name": "title", "type": "text"}], **OPEN}
    assert (await client.post("/api/collections", body, as_=client.root)).status == 200
    client.done = []
    return client


async def settled(notes, *names):
    """The states of all jobs of these names, once none is open."""
    for _ in range(500):
        found = await list_jobs(notes.backend.engine, ("waiting", "running", "done", "dead", "cancelled"))
        own = [entry for entry in found if entry.name in names]
        if own and all(entry.state in {"done", "dead", "cancelled"} for entry in own):
            return own
        await asyncio.sleep(0.02)
    raise AssertionError(own)


async def put(engine, wanted):
    await engine.write(lambda tx: enqueue(tx, engine.dialect, wanted))
    return wanted.id


async def take(engine, most=10):
    return await engine.write(lambda tx: claim_jobs(tx, engine.dialect, most, 30.0))


async def test_a_job_is_done_with_the_transaction_it_belongs_to(notes):
    """What a hook puts in is done once the record is durable, and never when it is undone."""

    @notes.app.job
    async def greet(run, title):
        record = await run.records.notes.first("title = {:title}", title=title)
        notes.done.append((title, record is not None, run.attempt, run.is_repeated))

    @notes.app.on.record_create("notes")
    async def tell(event):
        await event.enqueue(greet, title=event.record["title"])
        await event.next()
        if event.record["title"] == "bad":
            raise event.refuse("No.")

    answers = [await notes.post(NOTES, {"title": title}) for title in ("bad", "good")]
    found = await settled(notes, "greet")

    assert [answer.status for answer in answers] == [400, 200]
    assert notes.done == [("good", True, 1, False)]
    assert [(entry.state, entry.progress) for entry in found] == [("done", 1.0)]


async def test_functions_that_are_not_async_run_in_a_thread(notes):
    """A plain function is a job as well, and waits for what is async."""

    @notes.app.job
    def write(run, title):
        run.wait(run.records.notes.create(title=title))

    await put(notes.backend.engine, order(write, {"title": "from a thread"}))
    await settled(notes, "write")

    assert (await notes.get(NOTES)).json["items"][0]["title"] == "from a thread"


async def test_a_job_that_fails_is_tried_again(notes):
    """It is told which try it is, and done when one succeeds."""

    @notes.app.job
    async def flaky(run):
        notes.done.append((run.attempt, run.is_repeated))
        if run.attempt < 3:
            raise RuntimeError("not yet")

    await put(notes.backend.engine, order(flaky, {}))
    (entry,) = await settled(notes, "flaky")

    assert notes.done == [(1, False), (2, True), (3, True)]
    assert (entry.state, entry.attempts) == ("done", 3)


async def test_a_job_that_never_works_is_given_up_and_kept(notes):
    """After its last try it is dead, with the reason; tried again by hand, it counts on."""

    @notes.app.job(tries=2)
    async def hopeless(run):
        notes.done.append(run.attempt)
        raise RuntimeError("no such thing")

    job_id = await put(notes.backend.engine, order(hopeless, {}))
    (entry,) = await settled(notes, "hopeless")
    assert (entry.state, entry.note, notes.done) == ("dead", "RuntimeError: no such thing", [1, 2])

    assert await retry_jobs(notes.backend.engine, job_id) == 1
    (entry,) = await settled(notes, "hopeless")
    assert (entry.state, entry.attempts) == ("dead", 7)


@pytest.mark.parametrize("how", ["gives up", "bad arguments", "unknown"])
async def test_what_cannot_work_is_not_tried_for_ever(notes, how):
    """A job that says so, or is called wrongly, is dead at once; a name that nobody knows is after its tries."""

    @notes.app.job
    async def strict(run, title):
        raise run.give_up("No such note.")

    wanted = {
        "gives up": order(strict, {"title": "a"}),
        "bad arguments": order(strict, {"titel": "a"}),
        "unknown": order(Job("strikt", print, tries=2), {}),
    }[how]
    await put(notes.backend.engine, wanted)
    (entry,) = await settled(notes, wanted.name)

    part = {"gives up": "No such note.", "bad arguments": "cannot be called with", "unknown": "mean 'strict'"}[how]
    assert (entry.state, entry.attempts) == ("dead", 2 if how == "unknown" else 1)
    assert part in entry.note


async def test_a_job_that_takes_too_long_is_stopped(notes):
    """Its seconds over, a try counts as failed."""

    @notes.app.job(tries=1, seconds=0.05)
    async def slow(run):
        await asyncio.sleep(60)

    await put(notes.backend.engine, order(slow, {}))
    (entry,) = await settled(notes, "slow")

    assert (entry.state, entry.note) == ("dead", "It took longer than 0.05 seconds.")


async def test_progress_shows(notes):
    """How far a job has come stands in its row while it runs."""
    at_half, go_on = asyncio.Event(), asyncio.Event()

    @notes.app.job
    async def long(run):
        await run.progress(0.5, "half of it")
        at_half.set()
        await go_on.wait()

    job_id = await put(notes.backend.engine, order(long, {}))
    await at_half.wait()
    entry = await load_job(notes.backend.engine, job_id)
    go_on.set()
    await settled(notes, "long")

    assert (entry.state, entry.progress, entry.note) == ("running", 0.5, "half of it")


async def test_what_the_server_leaves_is_done_by_the_next(notes):
    """A job at work when the server stops is let go of at once, and its next try knows that it is one."""
    began = asyncio.Event()

    @notes.app.job
    async def endless(run):
        notes.done.append(run.attempt)
        began.set()
        await asyncio.sleep(0.01 if run.is_repeated else 60)

    runner = notes.app._company._crew.worker
    runner._pace = replace(runner._pace, farewell=0.05)
    await put(notes.backend.engine, order(endless, {}))
    await began.wait()
    await notes.app.stop()
    await notes.app.start()
    (entry,) = await settled(notes, "endless")

    assert (entry.state, notes.done) == ("done", [1, 2])


async def test_delay_and_order_ids(engine):
    """A delayed job waits; two orders of one id are one job."""
    job = Job("later", print)
    await put(engine, order(job, {}, delay=60))
    await put(engine, replace(order(job, {}), id="same"))
    await put(engine, replace(order(job, {}), id="same"))

    assert [claimed.id for claimed in await take(engine)] == ["same"]


async def test_a_claim_that_was_lost_changes_nothing(engine):
    """Who comes back after another one took the job says nothing of it any more."""
    job_id = await put(engine, order(Job("one", print), {}))
    await take(engine)
    await engine.write(lambda tx: tx.run('UPDATE "_jobs" SET "due" = 0'))
    (again,) = await take(engine)

    def say(attempt):
        return engine.write(lambda tx: end(tx, engine.dialect, JOBS, (job_id, attempt), Ending("done")))

    assert again.attempt == 2
    assert again.is_repeated
    assert [await say(1), await say(2), await say(2)] == [False, True, False]


async def test_no_job_is_lost_to_a_clock(engine):
    """A job claimed, or put off after a failure, while the clock was 400 days ahead is done when it is right again."""
    for number in range(3):
        await put(engine, replace(order(Job("one", print), {}), id=f"job{number}"))
    await take(engine, 2)
    await engine.write(lambda tx: end(tx, engine.dialect, JOBS, ("job0", 1), Ending("waiting", "", 5.0)))
    await engine.write(lambda tx: tx.run(f'UPDATE "_jobs" SET "due" = "due" + {400 * DAY} WHERE "attempts" > 0'))

    assert sorted((job.id, job.attempt) for job in await take(engine)) == [("job0", 2), ("job1", 2), ("job2", 1)]


async def test_cancelled_jobs_are_not_done(engine):
    """A job that waits is cancelled, and one that is over cannot be."""
    job_id = await put(engine, order(Job("one", print), {}))
    await cancel_job(engine, job_id)

    assert await take(engine) == []
    with pytest.raises(JobOver):
        await cancel_job(engine, job_id)


async def test_old_jobs_are_forgotten(engine):
    """What was done a week ago goes; what was given up then stays for a month."""
    for state in ("done", "dead", "waiting"):
        await put(engine, replace(order(Job("one", print), {}), id=state))
        await engine.write(
            lambda tx, state=state: tx.run(
                f"""UPDATE "_jobs" SET "state" = '{state}', "updated" = '2026-01-01 00:00:00.000Z' WHERE "id" = '{state}'"""
            )
        )
    assert await has_old(engine, JOBS)
    await engine.write(lambda tx: forget_old(tx, engine.dialect, JOBS))

    assert [entry.id for entry in await list_jobs(engine, ("done", "dead", "waiting"))] == ["waiting"]


async def test_arguments_must_be_json():
    """What cannot be written down is refused when it is put in."""
    with pytest.raises(BadArguments):
        order(Job("one", print), {"what": object()})


async def test_bad_declarations_are_refused(notes):
    """A cron that never comes, a name of the house, no try: told where it is written."""
    for declare in (
        lambda: notes.app.cron("nonsense")(test_arguments_must_be_json),
        lambda: notes.app.job(name="__pbDBOptimize__")(test_arguments_must_be_json),
        lambda: notes.app.job(tries=0)(test_arguments_must_be_json),
    ):
        with pytest.raises(BadJob):
            declare()


async def test_a_cron_is_due_once_however_many_look(engine):
    """Of twenty that look at once one puts the job in; and after a pause there is one for all that was missed."""
    crons = Crons(engine, lambda: [Job("tidy", print, expression="* * * * *")])
    await crons.look()
    for hours in (1, 400 * 24):
        await engine.write(lambda tx, hours=hours: tx.run(f'UPDATE "_crons" SET "last" = "last" - {hours * 3600}'))
        await asyncio.gather(*(crons.look() for _ in range(20)))

    assert len(await list_jobs(engine, ("waiting",))) in {2, 3}  # three when a minute ends meanwhile


async def test_a_cron_survives_clocks(engine):
    """A clock that was 400 days ahead does not stop a cron for 400 days, nor have it done twice."""
    crons = Crons(engine, lambda: [Job("tidy", print, expression="0 0 1 1 *")])
    await crons.look()
    ((before,),) = await engine.read('SELECT "last" FROM "_crons"')
    await engine.write(lambda tx: tx.run(f'UPDATE "_crons" SET "last" = "last" + {400 * DAY}'))
    await crons.look()
    ((after,),) = await engine.read('SELECT "last" FROM "_crons"')

    assert before <= after < before + DAY
    assert next_tick("0 0 1 1 *", after) == next_tick("0 0 1 1 *", before)
    assert await list_jobs(engine, ("waiting",)) == []


async def test_crons_over_http(notes):
    """Superusers see the crons, those of the site first, and start one."""

    @notes.app.cron("30 4 * * *")
    async def tidy(run):
        notes.done.append(run.name)

    listed = await notes.get("/api/crons", as_=notes.root)
    started = [
        await notes.post(f"/api/crons/{name}", as_=notes.root)
        for name in ("tidy", "__pbOTPCleanup__", "__pbDBOptimize__", "__pbLogsCleanup__", "x")
    ]
    entries = await settled(notes, "tidy", "__pbOTPCleanup__", "__pbDBOptimize__", "__pbLogsCleanup__")

    assert listed.json[:2] == [
        {"id": "tidy", "expression": "30 4 * * *"},
        {"id": "__pbDBOptimize__", "expression": "0 0 * * *"},
    ]
    assert [answer.status for answer in started] == [204, 204, 204, 204, 404]
    assert {entry.state for entry in entries} == {"done"}
    assert notes.done == ["tidy"]
    assert (await notes.get("/api/crons")).status == 401
