"""The pool: hashing beside the loop, with a queue that ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from undercroft.auth import passwords
from undercroft.auth.passwords import LoginsBusy, PasswordPool
from undercroft.passwords import UnusablePassword, Verdict, hash_password

pytestmark = [pytest.mark.anyio, pytest.mark.real_hashes]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pool() -> Iterator[PasswordPool]:
    made = PasswordPool(workers=1, waiting=4)
    yield made
    made.close()


@dataclass
class Gate:
    """Holds up whoever verifies a password."""

    has_begun: threading.Event = field(default_factory=threading.Event)
    is_open: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def gate(pool: PasswordPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Shut; it opens at the end at the latest, before the pool is closed."""
    made, verify = Gate(), passwords.verify_password

    def verify_late(text: str, stored: str) -> Verdict:
        made.has_begun.set()
        made.is_open.wait(20)
        return verify(text, stored)

    monkeypatch.setattr(passwords, "verify_password", verify_late)
    yield made
    made.is_open.set()


async def test_hash_and_verify(pool: PasswordPool):
    """What the pool hashed, it verifies."""
    stored = await pool.hash("correct horse")

    assert (await pool.verify("correct horse", stored)).ok
    assert not (await pool.verify("wrong horse", stored)).ok


async def test_dummy_is_never_right(pool: PasswordPool):
    """Nobody logs in to an account that does not exist, nor to one without a password."""
    assert not (await pool.verify_dummy("")).ok
    assert not (await pool.verify("", "")).ok


async def test_queue_ends(pool: PasswordPool):
    """Of many at once the queue takes its share, and the rest are refused at once."""
    answers = await asyncio.gather(*(pool.verify_dummy("x") for _ in range(50)), return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, LoginsBusy)]
    assert len(refused) == 45
    assert len(answers) - len(refused) == 5


async def test_refused_are_spread(pool: PasswordPool, monkeypatch: pytest.MonkeyPatch):
    """Those who are refused at once are told to come back one after the other, and nobody to wait for long."""
    monkeypatch.setattr(passwords, "monotonic", lambda: 1000.0)
    answers = await asyncio.gather(*(pool.verify_dummy("x") for _ in range(505)), return_exceptions=True)

    waits = [answer.retry_after for answer in answers if isinstance(answer, LoginsBusy)]
    assert len(waits) == 500
    assert waits == sorted(waits)
    assert set(waits) == set(range(1, 11))


async def test_queue_empties(pool: PasswordPool):
    """After a flood the pool works as before."""
    await asyncio.gather(*(pool.verify_dummy("x") for _ in range(50)), return_exceptions=True)

    assert (await pool.verify("x", await pool.hash("x"))).ok


async def test_who_gives_up_frees_a_place(pool: PasswordPool):
    """A caller that goes away while waiting leaves its place to others."""
    waiting = [asyncio.ensure_future(pool.verify_dummy("x")) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    answers = await asyncio.gather(*(pool.verify_dummy("x") for _ in range(4)))
    assert len(answers) == 4


async def test_a_running_thread_keeps_its_place(pool: PasswordPool, gate: Gate):
    """A caller that goes away frees no place as long as a thread still works for it."""
    waiting = [asyncio.ensure_future(pool.verify_dummy("x")) for _ in range(5)]
    assert await asyncio.to_thread(gate.has_begun.wait, 10)
    waiting[0].cancel()
    await asyncio.sleep(0)

    with pytest.raises(LoginsBusy):
        await pool.verify_dummy("x")
    gate.is_open.set()
    await asyncio.gather(*waiting[1:])
    assert (await pool.verify("x", hash_password("x"))).ok


async def test_loop_goes_on(pool: PasswordPool):
    """While passwords are hashed, the loop answers others."""
    hashing = asyncio.gather(*(pool.hash("x") for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert turns > 10


async def test_unusable_takes_no_place(pool: PasswordPool, gate: Gate):
    """A password of ten megabytes is refused without waiting in line."""
    flood = [asyncio.ensure_future(pool.verify_dummy("x")) for _ in range(5)]
    await asyncio.sleep(0)

    with pytest.raises(UnusablePassword):
        await pool.verify("x" * 10_000_000, hash_password("x"))

    assert not any(each.done() for each in flood)
    gate.is_open.set()
    await asyncio.gather(*flood)
