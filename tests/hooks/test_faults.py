"""Hooks that raise, hang, leak, or end their thread: one clear error, and the server goes on."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time

import pytest

from undercroft.errors import Forbidden, Invalid
from undercroft.hooks.failures import BadHooks, HookMisuseError
from undercroft.testing import client


def divide(event):
    del event
    return 1 // 0


async def divide_later(event):
    del event
    return 1 // 0


async def leave(event):
    del event
    sys.exit(3)


def leave_the_thread(event):
    del event
    raise SystemExit


async def cancel_itself(event):
    del event
    raise asyncio.CancelledError


async def end_iteration(event):
    del event
    raise KeyboardInterrupt


@pytest.mark.parametrize("hook", [divide, divide_later, leave, leave_the_thread, cancel_itself, end_iteration])
async def test_a_hook_that_fails(site, caplog, hook):
    """Whatever it raises is 500 without details; the log has it with the hook's name and the request; others go on."""
    site.on.record_create("posts")(hook)

    with caplog.at_level(logging.ERROR, "undercroft"):
        answer = await site.client.post(
            "/api/collections/posts/records", {"title": "one"}, headers={"x-request-id": "find-me"}
        )

    assert (answer.status, answer.error.code, answer.error.data) == (500, "hook_failed", {})
    assert "Traceback" not in answer.text
    assert f"Hook {hook.__name__} ({__file__}:" in caplog.text
    assert "in request find-me" in caplog.text
    assert "Traceback" in caplog.text
    assert await site.titles() == []
    assert (await site.client.get("/api/health")).status == 200


async def test_a_problem_that_a_hook_raises(site):
    """A problem of ours is answered as what it is."""

    @site.on.record_create("posts")
    async def forbid(event):
        raise Forbidden("Members only.")

    answer = await site.create("posts", title="one")

    assert (answer.status, answer.error.message) == (403, "Members only.")


@pytest.fixture
async def hasty(site):
    """A site whose hooks have little time."""
    site.client.app.code.hooks.seconds = 0.3
    return site


async def hang(event):
    del event
    await asyncio.sleep(60)


def hang_a_thread(event):
    event.released.wait(60)


async def hang_afterwards(event):
    await event.next()
    await asyncio.sleep(60)


@pytest.mark.parametrize("hook", [hang, hang_afterwards, hang_a_thread])
async def test_a_hook_that_hangs(hasty, hook):
    """Past its time the change is undone, and the next one is made."""
    released = threading.Event()

    @hasty.on.record_create("posts", priority=-1)
    async def give(event):
        event.released = released

    hanging = [True]

    if hook is hang_a_thread:

        @hasty.on.record_create("posts")
        def maybe(event):
            if hanging[0]:
                hook(event)

    else:

        @hasty.on.record_create("posts")
        async def maybe(event):
            if hanging[0]:
                await hook(event)

    answer = await hasty.create("posts", title="one")
    hanging[0] = False
    again = await hasty.create("posts", title="two")
    released.set()

    assert (answer.status, answer.error.code, answer.headers["retry-after"]) == (503, "hook_timeout", "1")
    assert again.status == 200
    assert await hasty.titles() == ["two"]


async def test_others_are_answered_while_a_hook_hangs(hasty):
    """Reads do not wait for a write whose hook hangs."""
    hasty.client.app.code.hooks.seconds = 1.5
    has_begun = asyncio.Event()

    @hasty.on.record_create("posts")
    async def hang_on(event):
        has_begun.set()
        await hang(event)

    writing = asyncio.create_task(hasty.create("posts", title="one"))
    async with asyncio.timeout(10):
        await has_begun.wait()
    answer = await hasty.client.get("/api/collections/posts/records")

    assert answer.status == 200
    assert not writing.done()
    assert (await writing).status == 503


async def test_threads_that_hang_do_not_pile_up(hasty):
    """So many threads are given up; past that, hooks are refused at once until some have ended."""
    released = threading.Event()
    hasty.client.app.code.hooks.threads._most_given_up = 2
    hasty.on.record_validate("posts")(lambda _: released.wait(60))

    statuses = [(await hasty.create("posts", title=str(n))).error.code for n in range(3)]
    released.set()
    while hasty.client.app.code.hooks.threads.given_up:  # noqa: ASYNC110 - threads end when they like
        await asyncio.sleep(0.01)
    answer = await hasty.create("posts", title="at last")

    assert statuses == ["hook_timeout", "hook_timeout", "hooks_busy"]
    assert answer.status == 200


async def test_hooks_share_a_few_threads(site):
    """Forty hooks that are plain functions run in at most eight threads."""
    names = set()

    def note(event):
        names.add(threading.current_thread().name + str(threading.get_ident()))
        time.sleep(0.005)

    site.on.record_enrich("posts")(note)
    post = await site.add("posts", title="one")

    await asyncio.gather(*(site.client.get(f"/api/collections/posts/records/{post}") for _ in range(40)))

    assert 1 <= len(names) <= 8
    assert all(name.startswith("undercroft-hook") for name in names)


async def test_what_a_hook_leaves_running(site):
    """A task that a hook forgot cannot write in a transaction that is over."""
    outcome = asyncio.get_running_loop().create_future()
    go_on = asyncio.Event()

    async def later(event):
        await go_on.wait()
        try:
            await event.records.as_system().posts.create(title="too late")
        except HookMisuseError as error:
            outcome.set_result(error)

    @site.on.record_create("posts")
    async def forget(event):
        event.task = asyncio.create_task(later(event))

    answer = await site.create("posts", title="one")
    go_on.set()

    assert answer.status == 200
    assert "The transaction is over" in str(await outcome)
    assert await site.titles() == ["one"]


async def test_a_hook_cannot_hide_that_another_failed(site):
    """Who catches what `next()` raises does not make it good."""

    @site.on.record_create("posts")
    async def swallow(event):
        try:
            await event.next()
        except Invalid:
            event.swallowed = True

    answer = await site.create("posts", title="")

    assert answer.status == 400
    assert answer.error.data["title"]["code"] == "validation_required"


async def test_next_twice(site, caplog):
    """The chain goes on once."""

    @site.on.record_create("posts")
    async def twice(event):
        await event.next()
        await event.next()

    answer = await site.create("posts", title="one")

    assert answer.status == 500
    assert "event.next() once" in caplog.text
    assert await site.titles() == []


async def test_hooks_that_call_each_other(site, caplog):
    """A hook that writes what it is called for ends, and all is undone."""

    @site.on.record_create("posts")
    async def more(event):
        await event.records.posts.create(title=event.record["title"] + "x")

    answer = await site.create("posts", title="x")

    assert answer.status == 500
    assert "more than 16 deep" in caplog.text
    assert await site.titles() == []


async def test_what_fails_after_the_commit(site, caplog):
    """It is logged, keeps no other hook from its call, and the caller hears of success."""

    @site.on.record_created("posts")
    async def fail(event):
        raise ValueError("no webhook today")

    site.on.record_created("posts")(lambda _: site.fired.append("second"))

    answer = await site.create("posts", title="one")

    assert answer.status == 200
    assert "no webhook today" in caplog.text
    assert site.fired == ["second"]


async def test_what_hangs_after_the_commit(hasty, caplog):
    """The answer waits for as long as hooks may take, and no longer."""
    hasty.on.record_created("posts")(hang)

    answer = await hasty.create("posts", title="one")

    assert answer.status == 200
    assert "took longer than 0.3 seconds" in caplog.text


async def test_a_caller_who_goes_away(site):
    """A write with hooks is finished, and told of, when nobody waits for its answer any more."""
    reached, go_on, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @site.on.record_create("posts")
    async def wait(event):
        reached.set()
        await go_on.wait()

    @site.on.record_created("posts")
    async def tell(event):
        told.set()

    asking = asyncio.create_task(site.create("posts", title="one"))
    await reached.wait()
    asking.cancel()
    go_on.set()
    await told.wait()

    assert await site.titles() == ["one"]


@pytest.mark.sqlite_only(reason="about the start, which is the same on both")
async def test_a_start_that_a_hook_refuses(tmp_path):
    """Where a hook of the start fails the server does not start, and says so."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "a.py").write_text(
        "from undercroft import on\n\n@on.serve()\nasync def fail(event):\n    raise ValueError\n"
    )

    with pytest.raises(BadHooks, match=r"on\.serve failed"):
        async with client(tmp_path / "data", hooks=tmp_path / "hooks"):
            pass
